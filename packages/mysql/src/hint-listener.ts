import type { LeaseHint, Timer } from '@wb/core';
import { BellWatch } from './bell-watch.js';
import type { DedicatedConnection } from './dedicated-connection.js';
import type { HintSql } from './hint-sql.js';
import type { Call, MysqlClient } from './mysql-client.js';
import type { MysqlEnvironment } from './mysql-options.js';

/** The first and the longest pause before another attempt, in ms. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** A watch that has lasted for this long was a good one, in ms: the next attempt comes soon again. */
const GOOD_MS = 10_000;
/** How long an attempt to connect may take, in ms. */
const CONNECT_LIMIT_MS = 10_000;

/** One connection that watches for all watchers of a store, and is replaced when it breaks (W1). */
export class HintListener {
  readonly #client: MysqlClient;
  readonly #sql: HintSql;
  readonly #environment: MysqlEnvironment;
  readonly #watchers = new Set<(hint: LeaseHint) => void>();
  #connecting: Promise<void> | null = null;
  /** Ends an attempt that nobody waits for any more. */
  #attempt = new AbortController();
  #connection: DedicatedConnection | null = null;
  #timer: Timer | null = null;
  #pauseMs = FIRST_PAUSE_MS;
  /** Whether something may have been missed since the last connection broke. */
  #wasLost = false;

  /** @param client Of its own: the connection does not count among those of the calls. */
  constructor(client: MysqlClient, sql: HintSql, environment: MysqlEnvironment) {
    this.#client = client;
    this.#sql = sql;
    this.#environment = environment;
  }

  /** Resolves when changes are seen. Dispose to end it. */
  async watch(onHint: (hint: LeaseHint) => void, call: Call): Promise<AsyncDisposable> {
    this.#client.assertGoingOn(call);
    const watcher = (hint: LeaseHint): void => onHint(hint);
    this.#watchers.add(watcher);
    try {
      // One attempt for all who wait for it, and to each their own deadline.
      if (this.#connection === null) await this.#client.wait(call, this.#connect());
    } catch (error) {
      this.#remove(watcher);
      throw error;
    }
    return {
      [Symbol.asyncDispose]: (): Promise<void> => {
        this.#remove(watcher);
        return Promise.resolve();
      },
    };
  }

  /** Nothing comes any more. Idempotent. */
  close(): void {
    this.#watchers.clear();
    this.#disconnect();
    this.#client.close();
  }

  #remove(watcher: (hint: LeaseHint) => void): void {
    this.#watchers.delete(watcher);
    if (this.#watchers.size > 0) return;
    this.#disconnect();
    this.#wasLost = false;
  }

  #disconnect(): void {
    this.#attempt.abort();
    this.#timer?.cancel();
    this.#timer = null;
    const connection = this.#connection;
    this.#connection = null;
    connection?.destroy();
  }

  #connect(): Promise<void> {
    this.#connecting ??= this.#open().finally(() => {
      this.#connecting = null;
    });
    return this.#connecting;
  }

  async #open(): Promise<void> {
    const { clock } = this.#environment;
    const attempt = new AbortController();
    this.#attempt = attempt;
    const timer = clock.schedule(CONNECT_LIMIT_MS, () => attempt.abort());
    let connection: DedicatedConnection;
    try {
      connection = await this.#client.dedicate({ operation: 'watch', options: { signal: attempt.signal } });
    } finally {
      timer.cancel();
    }
    const watch = new BellWatch(connection, this.#sql, clock, (hint) => {
      if (this.#connection === connection) this.#tell(hint);
    });
    await watch.begin();
    if (this.#watchers.size === 0) {
      connection.destroy();
      return;
    }
    this.#connection = connection;
    this.#timer?.cancel();
    this.#timer = null;
    // Whatever changed meanwhile was missed: the state is to be read again.
    if (this.#wasLost) this.#tell({});
    this.#wasLost = false;
    const startedAtMs = clock.now().monotonicMs;
    watch.run().catch(() => {
      connection.destroy();
      if (this.#connection !== connection) return;
      if (clock.now().monotonicMs - startedAtMs >= GOOD_MS) this.#pauseMs = FIRST_PAUSE_MS;
      this.#disconnect();
      this.#wasLost = true;
      this.#reconnect();
    });
  }

  #tell(hint: LeaseHint): void {
    for (const watcher of this.#watchers) watcher(hint);
  }

  #reconnect(): void {
    const { clock, random } = this.#environment;
    this.#timer = clock.schedule(this.#pauseMs * (0.5 + random() / 2), () => {
      if (this.#connection !== null) return;
      this.#connect().catch(() => {
        if (this.#watchers.size > 0) this.#reconnect();
      });
    });
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }
}
