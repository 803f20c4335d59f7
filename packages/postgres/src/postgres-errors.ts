import { StoreError, type StoreErrorCode, type StoreErrorReason, type StoreOutcome } from '@wb/core';
import { notMigratedError } from '@wb/sql';

/** What a native code means. */
export interface PostgresFault {
  readonly code: StoreErrorCode;
  /** Default: what the code usually means. */
  readonly reason?: StoreErrorReason;
  readonly isRetryable: boolean;
  /** What a call that failed like this *after it was sent* may have done. Before that it is always `'none'`. */
  readonly outcome: StoreOutcome;
  /** Whether the connection is of no use any more. */
  readonly isFatal?: boolean;
}

// An error that the server reports has rolled the transaction back.
const BUSY: PostgresFault = { code: 'STORE_BUSY', isRetryable: true, outcome: 'none' };
const REFUSED: PostgresFault = { code: 'STORE_REFUSED', isRetryable: false, outcome: 'none' };
const FAULT: PostgresFault = { code: 'STORE_FAULT', isRetryable: false, outcome: 'none' };
const NOT_MIGRATED: PostgresFault = { code: 'STORE_NOT_MIGRATED', isRetryable: false, outcome: 'none' };
const UNREACHABLE: PostgresFault = { code: 'STORE_UNAVAILABLE', isRetryable: true, outcome: 'none', isFatal: true };
const BROKEN: PostgresFault = { ...UNREACHABLE, outcome: 'unknown' };

/** SQLSTATEs, and classes of two characters for all their others, to faults (E1). */
export const POSTGRES_FAULTS: Readonly<Record<string, PostgresFault>> = Object.freeze({
  // Connection exceptions. PgBouncer reports a lost server as 08P01.
  '08': BROKEN,
  '08001': UNREACHABLE,
  '08004': { ...REFUSED, isFatal: true },
  // Feature not supported, among it "cached plan must not change result type" after the tables were altered: a new connection plans anew.
  '0A000': { ...FAULT, reason: 'configuration', isRetryable: true, isFatal: true },
  // Values that the database cannot take, such as a character that its encoding lacks.
  '22': FAULT,
  '23': FAULT,
  // Invalid transaction state: somebody else's transaction is open on the connection.
  '25': { ...FAULT, reason: 'configuration', isRetryable: true, isFatal: true },
  // A standby, or a server that was made read-only: another one may take writes, and this one may again.
  '25006': { ...REFUSED, reason: 'read-only', isRetryable: true, isFatal: true },
  // A prepared statement that is not there, or there already: a pooler between us and the server, and `pooler` is not set.
  '26000': { ...FAULT, reason: 'configuration', isRetryable: true, isFatal: true },
  '42P05': { ...FAULT, reason: 'configuration', isRetryable: true, isFatal: true },
  '28': { ...REFUSED, isFatal: true },
  '3D000': { ...REFUSED, reason: 'configuration', isFatal: true },
  '3F000': NOT_MIGRATED,
  '40': { ...BUSY, reason: 'serialization' },
  '40003': { ...BUSY, reason: 'other', outcome: 'unknown' },
  '40P01': { ...BUSY, reason: 'deadlock' },
  '42': FAULT,
  '42501': REFUSED,
  '42P01': NOT_MIGRATED,
  '42703': NOT_MIGRATED,
  '53': { ...BUSY, reason: 'too-many-connections' },
  // Someone may make room.
  '53100': { ...REFUSED, reason: 'disk-full', isRetryable: true },
  '53200': { ...FAULT, isRetryable: true },
  '53300': { ...BUSY, reason: 'too-many-connections', isFatal: true },
  '54': FAULT,
  '55': BUSY,
  '55000': FAULT,
  '55P02': FAULT,
  '55P03': BUSY,
  // Operator intervention: the session is at its end, perhaps while it waited for the commit to reach a standby, and then it is committed.
  '57': BROKEN,
  '57P01': { ...BROKEN, reason: 'shutting-down' },
  '57P02': { ...BROKEN, reason: 'shutting-down' },
  // Cancelled, by `statement_timeout` or by hand: rolled back.
  '57014': { code: 'STORE_TIMEOUT', isRetryable: true, outcome: 'none' },
  // Refused at the door: starting up, shutting down, in recovery.
  '57P03': { ...UNREACHABLE, reason: 'shutting-down' },
  '57P04': { ...REFUSED, reason: 'configuration', isFatal: true },
  // System errors: of the file system, for one.
  '58': { ...BROKEN, isFatal: true },
  F0: FAULT,
  XX: { ...FAULT, outcome: 'unknown', isFatal: true },
});

/** The codes that Node gives to sockets and names that do not work. */
export const NODE_FAULTS: Readonly<Record<string, PostgresFault>> = Object.freeze({
  ECONNREFUSED: UNREACHABLE,
  ENOTFOUND: UNREACHABLE,
  EAI_AGAIN: UNREACHABLE,
  EAI_FAIL: UNREACHABLE,
  EHOSTUNREACH: BROKEN,
  EHOSTDOWN: BROKEN,
  ENETUNREACH: BROKEN,
  ENETDOWN: BROKEN,
  EADDRNOTAVAIL: UNREACHABLE,
  ENOENT: UNREACHABLE,
  EACCES: { ...REFUSED, isFatal: true },
  EMFILE: UNREACHABLE,
  ECONNRESET: BROKEN,
  ECONNABORTED: BROKEN,
  ETIMEDOUT: BROKEN,
  EPIPE: BROKEN,
  ERR_STREAM_DESTROYED: BROKEN,
});

/** Faults that the driver reports by a message of its own. */
const DRIVER_FAULTS: readonly (readonly [RegExp, PostgresFault])[] = [
  [/timeout exceeded when trying to connect|timeout expired/, UNREACHABLE],
  [/Connection terminated|Client was closed|not queryable|Connection ended/, BROKEN],
  [/Cannot use a pool after calling end/, { ...UNREACHABLE, isRetryable: false }],
  [/password must be a string|does not support SSL|SSL connection|certificate/i, { ...REFUSED, reason: 'configuration', isFatal: true }],
];

const UNKNOWN: PostgresFault = { ...FAULT, outcome: 'unknown', isFatal: true };

/** How far a call had come when it failed. */
export type CallStage = 'connect' | 'sent';

/** What an error of the driver means. */
export function faultOf(error: unknown): PostgresFault {
  const state = sqlState(error);
  if (state !== null) {
    const fault = POSTGRES_FAULTS[state] ?? POSTGRES_FAULTS[state.slice(0, 2)] ?? UNKNOWN;
    // Whatever it is: the server has ended the session.
    return fault.isFatal !== true && isFatalSeverity(error) ? { ...fault, isFatal: true } : fault;
  }
  const native = nativeCode(error);
  const known = native === null ? undefined : NODE_FAULTS[native];
  if (known) return known;
  // Node tries every address of a name, and reports all that went wrong.
  if (error instanceof AggregateError && error.errors.length > 0) return faultOf(error.errors[0]);
  return DRIVER_FAULTS.find(([pattern]) => pattern.test(messageOf(error)))?.[1] ?? UNKNOWN;
}

/** Makes a {@link StoreError} of whatever the driver threw. A `StoreError` passes unchanged. */
export function toStoreError(operation: string, error: unknown, stage: CallStage): StoreError {
  if (error instanceof StoreError) return error;
  const { code, reason, isRetryable, outcome } = faultOf(error);
  if (code === 'STORE_NOT_MIGRATED') return notMigratedError(operation, { cause: error });
  const native = sqlState(error) ?? nativeCode(error);
  const advice = native === '26000' || native === '42P05' ? '; with a pooler in transaction mode, set `pooler: true`' : '';
  return new StoreError(code, `\`${operation}\` failed: ${messageOf(error)}${native === null ? '' : ` (${native})`}${advice}`, {
    cause: error,
    reason,
    isRetryable,
    outcome: stage === 'connect' ? 'none' : outcome,
  });
}

/** The server takes no writes. Reads are refused, too: what a standby shows may be old. */
export function readOnlyError(operation: string, server: string): StoreError {
  return new StoreError(
    'STORE_REFUSED',
    `\`${operation}\` failed: ${server} is read-only (a standby, or \`default_transaction_read_only\` is on); the store needs the primary server, also for reading`,
    { reason: 'read-only', isRetryable: true, outcome: 'none' },
  );
}

/** Whether a table, or the schema, is not there. */
export function isMissingTable(error: unknown): boolean {
  const state = sqlState(error);
  return state === '42P01' || state === '3F000';
}

/** Whether a row has changed since the snapshot of the transaction: `serialization_failure`. */
export function isSerializationFailure(error: unknown): boolean {
  return sqlState(error) === '40001';
}

// Not by `instanceof`: the pool may come from another copy of the driver.
function sqlState(error: unknown): string | null {
  const code = codeOf(error);
  return code !== null && /^[0-9A-Z]{5}$/.test(code) && !(code in NODE_FAULTS) ? code : null;
}

function nativeCode(error: unknown): string | null {
  const code = codeOf(error);
  return code !== null && /^E[A-Z_]+$/.test(code) ? code : null;
}

function codeOf(error: unknown): string | null {
  if (typeof error !== 'object' || error === null) return null;
  const code: unknown = Reflect.get(error, 'code');
  return typeof code === 'string' ? code : null;
}

function isFatalSeverity(error: unknown): boolean {
  const severity: unknown = Reflect.get(error as object, 'severity');
  // Localised by the server's language; only "ERROR" and what it is called elsewhere are harmless, and only these have no further mark.
  return severity === 'FATAL' || severity === 'PANIC';
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '' && error.errors.length > 0) return messageOf(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}
