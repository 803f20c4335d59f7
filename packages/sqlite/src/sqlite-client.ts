import { StoreError, type CallOptions, type StoreErrorCode } from '@wb/core';
import { assertLocalFile, openConnection, type DatabaseFile, type OpenConnection } from './open-connection.js';
import type { Durability, SqliteConnection } from './sqlite-connection.js';
import type { ResolvedOptions, SqliteEnvironment } from './sqlite-options.js';
import type { StoreSql, StoreStatements } from './sqlite-statements.js';

/** How long a call waits for a busy database at most, in ms; its signal usually ends it sooner. */
const BUSY_LIMIT_MS = 5_000;
/** The first and the longest pause between two attempts, in ms. */
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 25;
/** How often at most the file's place is looked at, in ms. */
const FILE_CHECK_MS = 100;

/** How a call is made. */
export interface Call {
  readonly operation: string;
  readonly durability: Durability;
  readonly options: CallOptions | undefined;
}

/**
 * Makes synchronous transactions out of asynchronous calls: opens the connection when it is first needed, and again after it broke; waits for a busy database
 * with the event loop running; heeds the signal and `close()` whenever it waits.
 */
export class SqliteClient {
  readonly #source: ResolvedOptions['source'];
  readonly #file: DatabaseFile | null;
  readonly #storeSql: StoreSql;
  readonly #environment: SqliteEnvironment;
  /** What to call when the store closes: wakes everyone who waits. */
  readonly #waiters = new Set<() => void>();
  #open: OpenConnection | null = null;
  #isLocal = false;
  #isClosed = false;
  #fileCheckedAtMs = Number.NEGATIVE_INFINITY;

  /** @param file Where the database is; `null` in memory. */
  constructor(source: ResolvedOptions['source'], file: DatabaseFile | null, storeSql: StoreSql, environment: SqliteEnvironment) {
    this.#source = source;
    this.#file = file;
    this.#storeSql = storeSql;
    this.#environment = environment;
  }

  get isInMemory(): boolean {
    return this.#file === null;
  }

  /** One transaction with the store's statements: see `SqliteConnection.transact`. */
  async transact<T>(call: Call, body: (statements: StoreStatements, nowMs: number) => T): Promise<T> {
    return await this.run(call, (connection) => connection.transact(call.operation, call.durability, body));
  }

  /**
   * A transaction for each part of a batch, with a pause in between that is as long as the lock was held: neither this process's event loop nor
   * another's heartbeat has to wait for more than one part.
   */
  async transactParts<Part, T>(
    call: Call,
    parts: Iterable<Part>,
    body: (part: Part, statements: StoreStatements, nowMs: number) => T,
  ): Promise<T[]> {
    const { clock } = this.#environment;
    const results: T[] = [];
    let pauseMs = 0;
    for (const part of parts) {
      try {
        if (results.length > 0) await this.pause(pauseMs, call.options?.signal);
        results.push(
          await this.run(call, (connection) => {
            const startedAtMs = clock.now().monotonicMs;
            const result = connection.transact(call.operation, call.durability, (statements, nowMs) => body(part, statements, nowMs));
            pauseMs = clock.now().monotonicMs - startedAtMs;
            return result;
          }),
        );
      } catch (error) {
        throw results.length > 0 && call.durability !== 'read' ? afterSomeParts(error) : error;
      }
    }
    return results;
  }

  /** Runs `attempt`, again and again while the database is busy, until the signal aborts. */
  async run<T>(call: Call, attempt: (connection: SqliteConnection) => T): Promise<T> {
    const { clock, random } = this.#environment;
    const { operation, options } = call;
    const startedAtMs = clock.now().monotonicMs;
    for (let longestMs = FIRST_PAUSE_MS; ; longestMs = Math.min(longestMs * 2, LONGEST_PAUSE_MS)) {
      this.#assertGoingOn(operation, options?.signal);
      try {
        if (this.#file !== null && !this.#isLocal) await this.#assertLocal(this.#file.path, operation, options?.signal);
        // No `await` from here on: two calls would open two connections, and `close()` could come in between.
        this.#open ??= openConnection(this.#source, this.#file, this.#storeSql);
        this.#checkFile(operation, this.#open);
        return attempt(this.#open.connection);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        if (error.code === 'STORE_UNAVAILABLE' || error.code === 'STORE_FAULT') this.disconnect();
        if (error.code !== 'STORE_BUSY') throw error;
        if (clock.now().monotonicMs - startedAtMs >= BUSY_LIMIT_MS) throw error;
      }
      // The random part keeps two processes from missing each other's gaps in step.
      await this.pause(longestMs * (0.5 + random() / 2), options?.signal);
    }
  }

  /** Fails if the call cannot even begin. */
  assertGoingOn({ operation, options }: Call): void {
    this.#assertGoingOn(operation, options?.signal);
  }

  /** Waits for work that other calls may wait for, too; how it ends is up to itself. */
  async wait<T>({ operation, options }: Call, work: Promise<T>): Promise<T> {
    this.#assertGoingOn(operation, options?.signal);
    const { promise, wake } = this.#waiter(options?.signal);
    const woken = promise.then(() => {
      this.#assertGoingOn(operation, options?.signal);
      return work;
    });
    try {
      return await Promise.race([work, woken]);
    } finally {
      wake();
    }
  }

  /** Closes the connection if it is ours, and wakes those who wait. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.disconnect();
    for (const wake of this.#waiters) wake();
  }

  /** Closes the connection if it is ours; the next call opens another. */
  disconnect(): void {
    const open = this.#open;
    this.#open = null;
    this.#isLocal = false;
    this.#fileCheckedAtMs = Number.NEGATIVE_INFINITY;
    open?.connection.close();
  }

  async #assertLocal(path: string, operation: string, signal: AbortSignal | undefined): Promise<void> {
    const { promise, wake } = this.#waiter(signal);
    try {
      // May hang, when the place is a dead network file system.
      await Promise.race([assertLocalFile(path, this.#environment), promise]);
    } finally {
      wake();
    }
    this.#assertGoingOn(operation, signal);
    this.#isLocal = true;
  }

  #checkFile(operation: string, { assertFileInPlace }: OpenConnection): void {
    const nowMs = this.#environment.clock.now().monotonicMs;
    if (nowMs - this.#fileCheckedAtMs < FILE_CHECK_MS) return;
    assertFileInPlace(operation);
    this.#fileCheckedAtMs = nowMs;
  }

  #assertGoingOn(operation: string, signal: AbortSignal | undefined): void {
    if (this.#isClosed) throw new StoreError('STORE_CLOSED', `\`${operation}\` failed: the store is closed`, { outcome: 'none' });
    if (signal?.aborted === true) {
      throw new StoreError('STORE_TIMEOUT', `\`${operation}\` was aborted before the database let it in`, {
        cause: signal.reason,
        isRetryable: true,
        outcome: 'none',
      });
    }
  }

  /** Resolves after `delayMs`, or when the signal aborts or the store closes; the caller looks which. */
  pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
    const { promise, wake } = this.#waiter(signal);
    const timer = this.#environment.clock.schedule(delayMs, wake);
    return promise.finally(() => timer.cancel());
  }

  #waiter(signal: AbortSignal | undefined): { readonly promise: Promise<void>; readonly wake: () => void } {
    let wake = (): void => undefined;
    const promise = new Promise<void>((resolve) => {
      wake = () => {
        this.#waiters.delete(wake);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
    });
    this.#waiters.add(wake);
    signal?.addEventListener('abort', wake);
    if (signal?.aborted === true || this.#isClosed) wake();
    return { promise, wake };
  }
}

/** The parts before the one that failed were committed. */
function afterSomeParts(error: unknown): unknown {
  if (!(error instanceof StoreError)) return error;
  const { code, message, isRetryable } = error;
  return new StoreError(code as StoreErrorCode, `${message}; an earlier part of the batch was committed`, {
    cause: error,
    isRetryable,
    outcome: 'unknown',
  });
}
