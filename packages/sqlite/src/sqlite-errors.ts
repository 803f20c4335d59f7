import { StoreError, type StoreErrorCode, type StoreErrorReason, type StoreOutcome } from '@wb/core';
import { notMigratedError } from '@wb/sql';

/** What a native code means. */
export interface SqliteFault {
  readonly code: StoreErrorCode;
  /** Default: what the code usually means. */
  readonly reason?: StoreErrorReason;
  readonly isRetryable: boolean;
  /** What a *commit* that failed like this may have done. Before the commit it is always `'none'`: the transaction was rolled back. */
  readonly outcome: StoreOutcome;
}

const BUSY: SqliteFault = { code: 'STORE_BUSY', isRetryable: true, outcome: 'none' };
const REFUSED: SqliteFault = { code: 'STORE_REFUSED', isRetryable: false, outcome: 'none' };
const UNAVAILABLE: SqliteFault = { code: 'STORE_UNAVAILABLE', isRetryable: true, outcome: 'none' };
const FAULT: SqliteFault = { code: 'STORE_FAULT', isRetryable: false, outcome: 'none' };

/**
 * Native codes to faults (E1). An extended code that is not listed (`SQLITE_IOERR_FSYNC`) means what its primary code means (`SQLITE_IOERR`).
 */
export const SQLITE_FAULTS: Readonly<Record<string, SqliteFault>> = Object.freeze({
  SQLITE_BUSY: BUSY,
  SQLITE_LOCKED: BUSY,
  // Two connections opened the WAL at the same instant and lost the race for its locks too often.
  SQLITE_PROTOCOL: BUSY,
  SQLITE_READONLY: { ...REFUSED, reason: 'read-only' },
  // The file was moved or deleted under the connection: a new connection finds the new one.
  SQLITE_READONLY_DBMOVED: UNAVAILABLE,
  SQLITE_PERM: REFUSED,
  SQLITE_AUTH: REFUSED,
  // Someone may make room.
  SQLITE_FULL: { ...REFUSED, reason: 'disk-full', isRetryable: true, outcome: 'unknown' },
  SQLITE_CANTOPEN: UNAVAILABLE,
  // A failed fsync says nothing about what reached the disk.
  SQLITE_IOERR: { ...UNAVAILABLE, outcome: 'unknown' },
  SQLITE_NOMEM: { ...FAULT, isRetryable: true, outcome: 'unknown' },
  SQLITE_INTERRUPT: { ...FAULT, isRetryable: true, outcome: 'unknown' },
  SQLITE_ABORT: { ...FAULT, isRetryable: true, outcome: 'unknown' },
  SQLITE_SCHEMA: { ...FAULT, isRetryable: true },
  SQLITE_CORRUPT: { ...FAULT, outcome: 'unknown' },
  SQLITE_NOTADB: FAULT,
  SQLITE_CONSTRAINT: FAULT,
  SQLITE_TOOBIG: FAULT,
  SQLITE_MISMATCH: FAULT,
  SQLITE_RANGE: FAULT,
  SQLITE_MISUSE: FAULT,
  SQLITE_ERROR: FAULT,
});

/** Faults that the driver reports by a `TypeError` with a message of its own. */
const DRIVER_FAULTS: readonly (readonly [RegExp, SqliteFault])[] = [
  // The owner of the handle iterates over a query, across an `await`.
  [/connection is busy executing a query/, BUSY],
  [/connection is not open/, UNAVAILABLE],
  [/directory does not exist/, UNAVAILABLE],
];

/** How far a call had come when it failed. */
export type CallStage = 'before-commit' | 'commit';

/** Makes a {@link StoreError} of whatever the driver threw. A `StoreError` passes unchanged. */
export function toStoreError(operation: string, error: unknown, stage: CallStage): StoreError {
  if (error instanceof StoreError) return error;
  if (isMissingTable(error)) return notMigratedError(operation, { cause: error });
  const message = error instanceof Error ? error.message : String(error);
  const native = nativeCode(error);
  const { code, reason, isRetryable, outcome } = faultOf(native, message);
  return new StoreError(code, `\`${operation}\` failed: ${message}${native === null ? '' : ` (${native})`}`, {
    cause: error,
    reason,
    isRetryable,
    outcome: stage === 'commit' ? outcome : 'none',
  });
}

/** Whether a table or a column is not there: SQLite has no code for it, only a message. */
export function isMissingTable(error: unknown): boolean {
  return (
    nativeCode(error) === 'SQLITE_ERROR' && error instanceof Error && /^no such (table|column)|has no column named/.test(error.message)
  );
}

function faultOf(native: string | null, message: string): SqliteFault {
  if (native === null) return DRIVER_FAULTS.find(([pattern]) => pattern.test(message))?.[1] ?? { ...FAULT, outcome: 'unknown' };
  for (let code = native; code.includes('_'); code = code.slice(0, code.lastIndexOf('_'))) {
    const fault = SQLITE_FAULTS[code];
    if (fault) return fault;
  }
  return { ...FAULT, outcome: 'unknown' };
}

// Not by `instanceof`: the handle may come from another copy of the driver.
function nativeCode(error: unknown): string | null {
  if (typeof error !== 'object' || error === null) return null;
  const code: unknown = Reflect.get(error, 'code');
  return typeof code === 'string' && code.startsWith('SQLITE_') ? code : null;
}
