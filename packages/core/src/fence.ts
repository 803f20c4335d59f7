import { FencedError, StoreError, WbOptionError } from './errors.js';
import { assertName } from './names.js';

/** The lease that a fence asks about. The `lease` that the work gets is one; so is a plain object with the three facts, e.g. in another process. */
export interface FenceLease {
  readonly groupId: string;
  readonly term: number;
  readonly sessionId: string;
  /** How long the lease is surely held without another heartbeat, in ms. A fenced transaction lasts no longer. Default: not known here. */
  readonly remainingMs?: () => number;
}

/** Options of a fenced transaction. */
export interface FencedOptions {
  /**
   * How long the transaction may last, in ms: then it is rolled back, by the server if this process cannot. Never longer than `lease.remainingMs()`, if the lease has it; the wait for a connection is not longer either (T5).
   * Default: 2,000; 500 with SQLite. Range: a whole number, 1 to 3,600,000.
   */
  readonly maxHoldMs?: number;
  /** Aborts the transaction: it is rolled back, unless its commit was sent already. Default: none. */
  readonly signal?: AbortSignal;
}

/** A statement to be run inside a transaction of yours, by whatever opened it. It fails in the database, and so the transaction, if the lease does not stand. */
export interface FenceStatement {
  /** With the placeholders of the database: `$1` in PostgreSQL, `?` elsewhere. One row comes back, in which nothing matters. */
  readonly sql: string;
  /** In the order of the placeholders: each stands once. */
  readonly parameters: readonly (string | number)[];
}

/** How long a fenced transaction may last by default, in ms. */
const DEFAULT_HOLD_MS = 2_000;

const MAX_HOLD_MS = 3_600_000;

/**
 * Checks what a fence is given, before the database is touched.
 * @throws {@link WbOptionError} `INVALID_NAME`, `INVALID_OPTION`
 */
export function assertFenceLease(lease: FenceLease): void {
  if (typeof lease !== 'object' || lease === null) {
    throw new WbOptionError('INVALID_OPTION', 'lease', `\`lease\` (${String(lease)}) must be a lease: { groupId, term, sessionId }`);
  }
  assertName('lease.groupId', lease.groupId);
  assertName('lease.sessionId', lease.sessionId);
  if (!Number.isSafeInteger(lease.term) || lease.term < 1) {
    throw new WbOptionError('INVALID_OPTION', 'lease.term', `\`lease.term\` (${lease.term}) must be a whole number from 1`);
  }
}

/**
 * Checks the lease and the options of a fenced transaction, and tells how long it may last, in whole ms.
 * @param defaultMs The store's default.
 * @throws {@link WbOptionError} `INVALID_NAME`, `INVALID_OPTION`; {@link FencedError} `FENCED` if the lease is known here to be over.
 */
export function resolveHoldMs(lease: FenceLease, options: FencedOptions = {}, defaultMs: number = DEFAULT_HOLD_MS): number {
  assertFenceLease(lease);
  const { maxHoldMs = defaultMs } = options;
  if (!Number.isInteger(maxHoldMs) || maxHoldMs < 1 || maxHoldMs > MAX_HOLD_MS) {
    throw new WbOptionError(
      'INVALID_OPTION',
      'maxHoldMs',
      `\`maxHoldMs\` (${String(maxHoldMs)}) must be a whole number of milliseconds from 1 to ${MAX_HOLD_MS}`,
    );
  }
  const remainingMs = lease.remainingMs?.() ?? Number.POSITIVE_INFINITY;
  if (remainingMs <= 0) throw fencedError(lease, 'it is no longer held');
  return Math.max(1, Math.floor(Math.min(maxHoldMs, remainingMs)));
}

/**
 * For stores: how long a fenced transaction that begins now may last, in whole ms. To be asked after every wait (T10): for a connection, for a turn.
 * @param holdMs What {@link resolveHoldMs} said before the wait.
 * @returns Less than 1 if the lease is known here to be over.
 */
export function holdMsLeft({ remainingMs }: FenceLease, holdMs: number): number {
  return remainingMs === undefined ? holdMs : Math.floor(Math.min(holdMs, remainingMs()));
}

/**
 * For stores: how long a fenced transaction may wait for its connection, in whole ms (T5): no longer than the lease is surely held, however long the store would wait otherwise.
 * @param mostMs The store's own limit.
 */
export function fenceWaitMs({ remainingMs }: FenceLease, mostMs: number): number {
  return remainingMs === undefined ? mostMs : Math.max(1, Math.floor(Math.min(mostMs, remainingMs())));
}

/** What has become of the transaction that a fence refused. */
export type FencedFate =
  | 'nothing was written'
  /** The fence was a statement in a transaction of somebody else, and the database has failed only this statement. */
  | 'its transaction must not be committed';

/** The refusal of a fence. */
export function fencedError(
  { groupId, term }: FenceLease,
  why: string,
  cause?: unknown,
  fate: FencedFate = 'nothing was written',
): FencedError {
  const message = `the lease of group ${JSON.stringify(groupId)} does not stand in term ${term}: ${why}; ${fate}`;
  return new FencedError(groupId, term, message, cause === undefined ? {} : { cause });
}

/** What `fenced` gave to its work was used after the transaction. */
export function transactionOverError(): StoreError {
  return new StoreError('STORE_FAULT', 'the fenced transaction is over: what `fenced` gives to its work must not be kept', {
    outcome: 'none',
  });
}
