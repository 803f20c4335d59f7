/**
 * The errors of the SDK. Exceptions are faults or mistakes of the caller; "refused" and "lost" are values elsewhere.
 * Every error has a stable `code`, which is also a heading in the README of `@wb/core`.
 *
 * @module
 */

/** The stable codes of {@link WbError}. */
export type WbErrorCode =
  /** An option is missing, of the wrong type, out of range, or does not fit the others. */
  | 'INVALID_OPTION'
  /** A name (group, member, session) is empty, over-long, ill-formed or has control characters. */
  | 'INVALID_NAME'
  /** The group is already led by this coordinator. */
  | 'GROUP_ALREADY_LED'
  /** The coordinator is closed or closing. */
  | 'COORDINATOR_CLOSED'
  /** The store cannot do what was asked for: see its `capabilities`. */
  | 'NOT_SUPPORTED'
  /** The lease is not held, or not for as long as was asked. */
  | 'LEASE_NOT_HELD'
  /** Why a work's signal aborted: its leadership ended. */
  | 'LEADERSHIP_ENDED'
  /** A fenced transaction was refused: its lease does not stand any more. Nothing of it was written. */
  | 'FENCED'
  /** A run of a recurring job took longer than it may. */
  | 'JOB_TIMED_OUT'
  /** A run of a recurring job was stopped at once. */
  | 'JOB_STOPPED'
  /** The record of a recurring job is none that this version knows. */
  | 'JOB_RECORD_UNREADABLE'
  /** The store is closed. */
  | 'STORE_CLOSED'
  /** A call reached its deadline or was aborted. */
  | 'STORE_TIMEOUT'
  /** The database could not be reached, or the connection broke. */
  | 'STORE_UNAVAILABLE'
  /** The database is busy: locked, deadlocked, out of connections. */
  | 'STORE_BUSY'
  /** The tables are not there, or of another version: run `migrate()`. */
  | 'STORE_NOT_MIGRATED'
  /** The database refuses writes, permissions are missing, or the disk is full. */
  | 'STORE_REFUSED'
  /** A session of that id exists already. */
  | 'STORE_SESSION_EXISTS'
  /** Anything else that the database reported. */
  | 'STORE_FAULT';

const BRAND = Symbol.for('@wb/core/error');

/** Options of {@link WbError}. */
export interface WbErrorOptions {
  readonly cause?: unknown;
  /** Whether the same call may succeed later without any change. Default: `false`. */
  readonly isRetryable?: boolean;
}

/** The base of every error that the SDK throws. `instanceof` also holds across two copies of the package. */
export class WbError extends Error {
  readonly code: WbErrorCode;
  readonly isRetryable: boolean;

  constructor(code: WbErrorCode, message: string, options: WbErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = new.target.name;
    this.code = code;
    this.isRetryable = options.isRetryable ?? false;
    Object.defineProperty(this, BRAND, { value: lineage(new.target) });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (typeof value !== 'object' || value === null) return false;
    const names: unknown = Reflect.get(value, BRAND);
    return Array.isArray(names) && names.includes(this.name);
  }
}

function lineage(constructor: { readonly name: string }): readonly string[] {
  const names: string[] = [];
  for (let at: unknown = constructor; typeof at === 'function' && at !== Error; at = Object.getPrototypeOf(at)) {
    names.push(at.name);
    if (at === WbError) break;
  }
  return names;
}

/** A mistake in an option or a name, found before anything was touched. The message has the field, its value and the limit. */
export class WbOptionError extends WbError {
  /** The field as the caller wrote it, e.g. `heartbeatMs`. */
  readonly field: string;

  constructor(code: 'INVALID_OPTION' | 'INVALID_NAME', field: string, message: string) {
    super(code, message);
    this.field = field;
  }
}

/** What a failed call may have done: `'none'`, certainly nothing; `'unknown'`, perhaps everything, perhaps later (T5). */
export type StoreOutcome = 'none' | 'unknown';

/** The codes of {@link StoreError}. */
export type StoreErrorCode = Extract<WbErrorCode, `STORE_${string}`>;

/**
 * What went wrong, finer than the code (E1): for logs, metrics and advice. The SDK itself goes by `code`, `isRetryable` and `outcome` alone, and reasons may be added.
 *
 * - `connection`: it could not be made, or broke; `shutting-down`: the server said so, or that it is starting; `too-many-connections`: it has no place left.
 * - `timeout`: a deadline, ours or the server's. `lock-wait`: a row or file stayed locked for too long; `deadlock`; `serialization`: a row has changed since the snapshot.
 * - `read-only`: a replica, or a server that was made so; `permission`: a right or a password; `disk-full`; `configuration`: something is set up so that it cannot work (no such database, TLS, a pooler).
 * - `not-migrated`: run `migrate`. `session-exists`, `closed`, and `other`.
 */
export type StoreErrorReason =
  | 'connection'
  | 'shutting-down'
  | 'too-many-connections'
  | 'timeout'
  | 'lock-wait'
  | 'deadlock'
  | 'serialization'
  | 'read-only'
  | 'permission'
  | 'disk-full'
  | 'configuration'
  | 'not-migrated'
  | 'session-exists'
  | 'closed'
  | 'other';

const USUAL_REASONS: Readonly<Record<StoreErrorCode, StoreErrorReason>> = Object.freeze({
  STORE_CLOSED: 'closed',
  STORE_TIMEOUT: 'timeout',
  STORE_UNAVAILABLE: 'connection',
  STORE_BUSY: 'lock-wait',
  STORE_NOT_MIGRATED: 'not-migrated',
  STORE_REFUSED: 'permission',
  STORE_SESSION_EXISTS: 'session-exists',
  STORE_FAULT: 'other',
});

/** Options of {@link StoreError}. */
export interface StoreErrorOptions extends WbErrorOptions {
  /** Default: what the code usually means, e.g. `connection` for `STORE_UNAVAILABLE`. */
  readonly reason?: StoreErrorReason | undefined;
  /** Default: `'unknown'`, the safe assumption. */
  readonly outcome?: StoreOutcome;
}

/** A fault of the store or of the way to it. `isRetryable` tells whether the same call may succeed later (E1). */
export class StoreError extends WbError {
  readonly outcome: StoreOutcome;
  readonly reason: StoreErrorReason;

  constructor(code: StoreErrorCode, message: string, options: StoreErrorOptions = {}) {
    super(code, message, options);
    this.outcome = options.outcome ?? 'unknown';
    this.reason = options.reason ?? USUAL_REASONS[code];
  }
}

/** A lease is not held, or not for long enough: thrown by `lease.ensure` and `lease.assertHeld`. */
export class LeaseNotHeldError extends WbError {
  readonly groupId: string;
  readonly term: number;

  constructor(groupId: string, term: number, message: string) {
    super('LEASE_NOT_HELD', message);
    this.groupId = groupId;
    this.term = term;
  }
}

/** A fenced transaction was refused and rolled back: a later term exists, or the lease was released (L6, T8). Nothing of it was written. */
export class FencedError extends WbError {
  readonly groupId: string;
  readonly term: number;

  constructor(groupId: string, term: number, message: string, options: { readonly cause?: unknown } = {}) {
    super('FENCED', message, options);
    this.groupId = groupId;
    this.term = term;
  }
}
