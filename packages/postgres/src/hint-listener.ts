import { systemClock, type LeaseHint, type Timer } from '@wb/core';
import type { Call, PostgresClient } from './postgres-client.js';
import type { DriverNotification, PostgresConnection } from './postgres-connection.js';
import { FREED_MARK, RESIGN_MARK } from './postgres-fragments.js';

/** The first and the longest pause between two attempts to connect, in ms. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** How often the connection is asked whether it still lives, in ms: nobody else would notice that nothing comes any more. */
const PROBE_MS = 10_000;

/** One connection that listens for all watchers of a store, and is replaced when it breaks (W1). */
export class HintListener {
  readonly #client: PostgresClient;
  readonly #channel: string;
  readonly #watchers = new Set<(hint: LeaseHint) => void>();
  #connecting: Promise<void> | null = null;
  /** Ends an attempt to connect that nobody waits for any more. */
  #attempt = new AbortController();
  #connection: PostgresConnection | null = null;
  #timer: Timer | null = null;
  #pauseMs = FIRST_PAUSE_MS;
  /** Whether something may have been missed since the last connection broke. */
  #wasLost = false;

  constructor(client: PostgresClient, channel: string) {
    this.#client = client;
    this.#channel = channel;
  }

  /** Resolves when hints come in. Dispose to end it. */
  async watch(onHint: (hint: LeaseHint) => void, call: Call): Promise<AsyncDisposable> {
    this.#client.assertOpen(call);
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
    // Not given back: it listens.
    connection?.destroy();
  }

  #connect(): Promise<void> {
    this.#connecting ??= this.#open().finally(() => {
      this.#connecting = null;
    });
    return this.#connecting;
  }

  async #open(): Promise<void> {
    this.#attempt = new AbortController();
    const connection = await this.#client.dedicate({ operation: 'watch', options: { signal: this.#attempt.signal } }, async (opened) => {
      await opened.query(`listen "${this.#channel}"`);
    });
    if (this.#watchers.size === 0 || this.#client.isClosed) {
      connection.destroy();
      return;
    }
    this.#timer?.cancel();
    this.#connection = connection;
    this.#pauseMs = FIRST_PAUSE_MS;
    const { client } = connection;
    client.on('notification', (message: unknown) => {
      const { channel, payload } = message as DriverNotification;
      if (this.#connection === connection && channel === this.#channel) this.#tell(payload ?? '');
    });
    client.on('end', () => this.#lost(connection));
    this.#scheduleProbe(connection);
    // Whatever was told meanwhile was missed: the state is to be read again.
    if (this.#wasLost) this.#tell('');
    this.#wasLost = false;
  }

  #tell(payload: string): void {
    const hint = toHint(payload);
    for (const watcher of this.#watchers) watcher(hint);
  }

  #scheduleProbe(connection: PostgresConnection): void {
    this.#timer = systemClock.schedule(PROBE_MS, () => {
      void this.#probe(connection);
    });
  }

  async #probe(connection: PostgresConnection): Promise<void> {
    try {
      await this.#client.wait({ operation: 'watch', options: undefined }, connection.query('select 1'));
      if (this.#connection === connection) this.#scheduleProbe(connection);
    } catch {
      this.#lost(connection);
    }
  }

  #lost(connection: PostgresConnection): void {
    connection.destroy();
    if (this.#connection !== connection) return;
    this.#disconnect();
    this.#wasLost = true;
    this.#reconnect();
  }

  #reconnect(): void {
    this.#timer = systemClock.schedule(this.#pauseMs * (0.5 + Math.random() / 2), () => {
      if (this.#connection !== null) return;
      this.#connect().catch(() => {
        if (this.#watchers.size > 0 && !this.#client.isClosed) this.#reconnect();
      });
    });
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

/** Anybody may notify on any channel: what is not ours is a hint that names nothing. */
function toHint(payload: string): LeaseHint {
  const mark = [RESIGN_MARK, FREED_MARK].find((each) => payload.startsWith(each)) ?? '';
  try {
    const groupIds: unknown = JSON.parse(payload.slice(mark.length));
    if (Array.isArray(groupIds) && groupIds.every((groupId) => typeof groupId === 'string'))
      return { groupIds, ...(mark === RESIGN_MARK && { resign: true }), ...(mark === FREED_MARK && { freed: true }) };
  } catch {
    // Too long to be named, or somebody else's.
  }
  return {};
}
