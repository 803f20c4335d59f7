import { fencedError, holdMsLeft, resolveHoldMs, runWithinHold, StoreError, type FencedOptions, type FenceLease } from '@wb/core';
import { setMaxListeners } from 'node:events';
import { lendTransaction } from './lent-transaction.js';
import { LockBreaks } from './lock-breaks.js';
import type { OpenTransaction } from './open-transaction.js';
import type { SqliteClient } from './sqlite-client.js';
import type { LeaseArguments } from './sqlite-fence-sql.js';
import type { SqliteEnvironment } from './sqlite-options.js';
import type { SqliteTransaction } from './user-database.js';

/** How long a fenced transaction may last by default, in ms: nobody else writes meanwhile. */
const DEFAULT_HOLD_MS = 500;
/** The part of the shortest session TTL that it may last at most: heartbeats can wait for so long, and still come in time (T2). */
const TTL_SHARE = 4;

/** How long one waits for those before, in ms; a signal may end it sooner. */
const LONGEST_WAIT_MS = 60_000;

/** Runs fenced transactions, one after the other: there is one writer in any case, and here nobody has to poll for his turn. */
export class FencedTransactions {
  readonly #client: SqliteClient;
  readonly #environment: SqliteEnvironment;
  readonly #closing = new AbortController();
  readonly #breaks: LockBreaks;
  #last: Promise<void> = Promise.resolve();

  /** @param client With a connection that nothing else uses, unless the database is in memory. */
  constructor(client: SqliteClient, environment: SqliteEnvironment) {
    this.#client = client;
    this.#environment = environment;
    this.#breaks = new LockBreaks(environment.clock);
    // One for each that is under way or waits.
    setMaxListeners(0, this.#closing.signal);
  }

  /** A transaction that commits only if its lease stands (L6, T8): see `SqliteLeaseStore.fenced`. */
  async run<T>(lease: FenceLease, work: (transaction: SqliteTransaction) => T | PromiseLike<T>, options: FencedOptions = {}): Promise<T> {
    const holdMs = resolveHoldMs(lease, options, DEFAULT_HOLD_MS);
    const { groupId, term, sessionId } = lease;
    const args: LeaseArguments = { groupId, term, sessionId };
    const done = await this.#turn(options.signal);
    try {
      const dueMs = this.#breaks.dueMs();
      if (dueMs > 0) await this.#client.pause(dueMs, options.signal);
      const call = { operation: 'fenced', durability: 'durable', options } as const;
      const transaction = await this.#client.run(call, (connection) => connection.open(call.operation));
      const heldSinceMs = this.#environment.clock.now().monotonicMs;
      try {
        return await this.#transact(transaction, lease, args, holdMsLeft(lease, holdMs), work, options.signal);
      } catch (error) {
        transaction.rollBack();
        // Parts of the work may still be going on, and what they write now would be in no transaction: not on this connection.
        // (A database in memory would be gone with it; nobody else leads there.)
        if (!this.#client.isInMemory) this.#client.disconnect();
        throw error;
      } finally {
        this.#breaks.held(heldSinceMs);
      }
    } finally {
      done();
    }
  }

  /** Ends what is under way. Idempotent. */
  close(): void {
    this.#closing.abort(new StoreError('STORE_CLOSED', '`fenced` failed: the store is closed', { outcome: 'none' }));
  }

  async #transact<T>(
    transaction: OpenTransaction,
    lease: FenceLease,
    args: LeaseArguments,
    holdMs: number,
    work: (transaction: SqliteTransaction) => T | PromiseLike<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const { handle, statements, nowMs } = transaction;
    const assertStanding = (): void => {
      if (statements.stands.get(args)?.stands !== 1) throw fencedError(lease, 'a later term exists, or it was released');
    };
    if (holdMs < 1) throw fencedError(lease, 'it is no longer held');
    assertStanding();
    const ttlMs = statements.shortestTtl.get({ nowMs })?.ttlMs ?? Number.POSITIVE_INFINITY;
    const limits = {
      clock: this.#environment.clock,
      holdMs: Math.max(1, Math.min(holdMs, Math.floor(ttlMs / TTL_SHARE))),
      signals: [this.#closing.signal, signal],
    };
    const lent = lendTransaction(handle);
    const result = await runWithinHold(() => work(lent.transaction), limits).finally(lent.takeBack);
    if (!transaction.isOpen()) throw endedError();
    assertStanding();
    transaction.commit();
    return result;
  }

  /** Waits until those before are done. Returns what gives the turn to the next. */
  async #turn(signal: AbortSignal | undefined): Promise<() => void> {
    const before = this.#last;
    let done = (): void => undefined;
    const own = new Promise<void>((resolve) => {
      done = resolve;
    });
    this.#last = before.then(() => own);
    try {
      await runWithinHold(() => before, {
        clock: this.#environment.clock,
        holdMs: LONGEST_WAIT_MS,
        signals: [this.#closing.signal, signal],
      });
    } catch (error) {
      done();
      throw error;
    }
    return done;
  }
}

function endedError(): StoreError {
  return new StoreError(
    'STORE_FAULT',
    '`fenced` failed: the transaction had ended before its commit, by a failure that its work has passed over, or by the work itself; leave commit and rollback to `fenced`',
    { outcome: 'unknown' },
  );
}
