import type { Clock, LeaseHint, Timer } from '@wb/core';

/** The first and the longest pause before another attempt to connect, in ms. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** A connection that has lasted for this long was a good one, in ms: the next attempt comes soon again. */
const GOOD_MS = 10_000;

/** A connection that hears of changes. */
export interface HintConnection {
  /** Settles, either way, when nothing can come any more. */
  readonly broken: Promise<unknown>;
  /** Ends it at once. Idempotent. */
  close(): void;
}

/** What a {@link HintHub} needs of its store. */
export interface HintHubParts {
  /** Opens a connection that hears of everything that changes from then on. `signal` aborts when nobody waits for it any more. */
  readonly connect: (signal: AbortSignal, onHint: (hint: LeaseHint) => void) => Promise<HintConnection>;
  readonly clock: Clock;
  /** From 0 to below 1. */
  readonly random: () => number;
}

/** One connection that hears of changes for all watchers of a store, and is replaced when it breaks (W1). */
export class HintHub {
  readonly #parts: HintHubParts;
  readonly #watchers = new Set<(hint: LeaseHint) => void>();
  #attempt: { readonly end: AbortController; readonly done: Promise<void> } | null = null;
  #connection: HintConnection | null = null;
  #timer: Timer | null = null;
  #pauseMs = FIRST_PAUSE_MS;
  /** Whether something may have been missed since the last connection broke. */
  #wasLost = false;

  constructor(parts: HintHubParts) {
    this.#parts = parts;
  }

  /**
   * Resolves when changes are heard of. Dispose to end it.
   * @param wait Waits for the connection as long as this call may take: the attempt is one for all who wait for it, and to each their own deadline.
   */
  async watch(onHint: (hint: LeaseHint) => void, wait: (connected: Promise<void>) => Promise<void>): Promise<AsyncDisposable> {
    // One registration is one entry, also when the same function watches twice.
    const watcher = (hint: LeaseHint): void => onHint(hint);
    this.#watchers.add(watcher);
    try {
      if (this.#connection === null) await wait(this.#connect());
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
    if (!this.#watchers.delete(watcher) || this.#watchers.size > 0) return;
    this.#disconnect();
    this.#wasLost = false;
    this.#pauseMs = FIRST_PAUSE_MS;
  }

  #disconnect(): void {
    this.#attempt?.end.abort();
    this.#attempt = null;
    this.#timer?.cancel();
    this.#timer = null;
    this.#connection?.close();
    this.#connection = null;
  }

  #connect(): Promise<void> {
    if (this.#attempt !== null) return this.#attempt.done;
    const end = new AbortController();
    const done = this.#open(end.signal).finally(() => {
      if (this.#attempt?.end === end) this.#attempt = null;
    });
    // Who waits for it hears of its failure.
    done.catch(() => undefined);
    this.#attempt = { end, done };
    return done;
  }

  async #open(signal: AbortSignal): Promise<void> {
    const { connect, clock } = this.#parts;
    let opened: HintConnection | null = null;
    const connection = await connect(signal, (hint) => {
      if (opened !== null && this.#connection === opened) this.#tell(hint);
    });
    const sinceMs = clock.now().monotonicMs;
    const onBroken = (): void => this.#lost(connection, clock.now().monotonicMs - sinceMs);
    connection.broken.then(onBroken, onBroken);
    if (signal.aborted) {
      connection.close();
      return;
    }
    opened = connection;
    this.#connection = connection;
    this.#timer?.cancel();
    this.#timer = null;
    // Whatever changed meanwhile was missed: the state is to be read again.
    if (this.#wasLost) this.#tell({});
    this.#wasLost = false;
  }

  #lost(connection: HintConnection, lastedMs: number): void {
    connection.close();
    if (this.#connection !== connection) return;
    this.#connection = null;
    this.#wasLost = true;
    if (lastedMs >= GOOD_MS) this.#pauseMs = FIRST_PAUSE_MS;
    this.#reconnect();
  }

  #tell(hint: LeaseHint): void {
    for (const watcher of this.#watchers) {
      try {
        watcher(hint);
      } catch (error) {
        // As with any callback: an uncaught exception of the process, which hinders no other watcher.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  #reconnect(): void {
    const { clock, random } = this.#parts;
    this.#timer = clock.schedule(this.#pauseMs * (0.5 + random() / 2), () => {
      this.#timer = null;
      if (this.#connection !== null) return;
      this.#connect().catch(() => {
        // All who watch are still without one.
        if (this.#watchers.size > 0 && this.#connection === null && this.#timer === null) this.#reconnect();
      });
    });
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }
}
