import { StoreError, type LeaseHint, type Timer } from '@wb/core';
import { changeHints, GROUPS_LOOKED_UP, SessionChanges, type HintConnection } from '@wb/sql';
import type { Call, SqliteClient } from './sqlite-client.js';
import type { SqliteEnvironment } from './sqlite-options.js';

/**
 * When to look after a write to the log, in ms after the look before. A transaction's pages are in the log before they count: the disk has to have them first, and then SQLite notes the commit in memory that
 * is shared, which nobody is told of.
 */
const LOOKS_AFTER_MS = [1, 3, 9, 27, 81, 243] as const;
/** How long looks are apart at least, in ms: longer and longer while writes come one after the other and are none of ours, up to the second. */
const SHORTEST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 32;
/** After how long without a write it looks soon again, in ms. */
const CALM_MS = 50;

/**
 * Watches for changes by the write-ahead log, which every commit is written to. The operating system tells of a write, so that nothing is done while nobody writes. A look is a number that SQLite keeps in shared
 * memory (`data_version`); only when that has changed are the sessions looked at, which tell a heartbeat from a change.
 *
 * The log is watched by its name. To open and close it would be safe, too: SQLite has no lock on it, as it has on the database and on the shared memory.
 */
export class WalWatch implements HintConnection {
  readonly broken: Promise<unknown>;
  readonly #client: SqliteClient;
  readonly #environment: SqliteEnvironment;
  readonly #onHint: (hint: LeaseHint) => void;
  readonly #changes = new SessionChanges();
  /** Says why it can tell no more. */
  #break!: (error: unknown) => void;
  #file: { close(): void } | null = null;
  #version: number | null = null;
  #mark: number | null = null;
  #pauseMs = SHORTEST_PAUSE_MS;
  #writtenAtMs = Number.NEGATIVE_INFINITY;
  /** Which of {@link LOOKS_AFTER_MS} is next. */
  #next = 0;
  #timer: Timer | null = null;
  #isLooking = false;
  #isClosed = false;

  /** @param client Of its own: `data_version` says nothing of commits of the same connection. Closed with the watch. */
  constructor(client: SqliteClient, environment: SqliteEnvironment, onHint: (hint: LeaseHint) => void) {
    this.#client = client;
    this.#environment = environment;
    this.#onHint = onHint;
    this.broken = new Promise((resolve) => {
      this.#break = resolve;
    });
  }

  /** What is committed after this has resolved is hinted at. @throws {@link StoreError} */
  async begin(signal: AbortSignal): Promise<void> {
    const call: Call = { operation: 'watch', durability: 'read', options: { signal } };
    const path = await this.#client.run(call, (connection) => connection.walPath('watch'));
    this.#file = this.#watch(path);
    // Only now: what comes later is told of.
    const { version, mark } = await this.#client.run(call, (connection) => connection.readChanges('watch', null));
    this.#version = version;
    this.#mark = mark;
    await this.#client.transact(call, ({ sessionStates }) => this.#changes.since(sessionStates.all({})));
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#timer = null;
    this.#file?.close();
    this.#file = null;
    this.#client.close();
  }

  #watch(path: string): { close(): void } {
    const end = (cause: unknown): StoreError =>
      new StoreError('STORE_UNAVAILABLE', `\`watch\` cannot follow the log ${JSON.stringify(path)}: ${String(cause)}`, {
        cause,
        isRetryable: true,
        outcome: 'none',
      });
    try {
      return this.#environment.watchFile(
        path,
        () => this.#written(),
        (cause) => this.#break(end(cause)),
      );
    } catch (cause) {
      throw end(cause);
    }
  }

  #written(): void {
    const nowMs = this.#environment.clock.now().monotonicMs;
    if (nowMs - this.#writtenAtMs >= CALM_MS) this.#pauseMs = SHORTEST_PAUSE_MS;
    this.#writtenAtMs = nowMs;
    const isNext = this.#timer !== null && this.#next === 0;
    this.#next = 0;
    // Writes that come without a pause do not put the look off.
    if (!isNext && !this.#isLooking) this.#lookLater();
  }

  #lookLater(): void {
    this.#timer?.cancel();
    this.#timer = null;
    const delayMs = LOOKS_AFTER_MS[this.#next];
    if (delayMs === undefined || this.#isClosed) return;
    this.#timer = this.#environment.clock.schedule(Math.max(delayMs, this.#pauseMs), () => {
      this.#timer = null;
      this.#isLooking = true;
      this.#next += 1;
      this.#look()
        .catch((error: unknown) => this.#break(error))
        .finally(() => {
          this.#isLooking = false;
          this.#lookLater();
        });
    });
  }

  async #look(): Promise<void> {
    const call: Call = { operation: 'watch', durability: 'read', options: undefined };
    // Before it has begun, nobody waits for hints yet.
    if (this.#version === null) return;
    const { version, mark } = await this.#client.run(call, (connection) => connection.readChanges('watch', this.#version));
    if (version === this.#version) return;
    this.#version = version;
    this.#pauseMs = mark === this.#mark ? Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS) : SHORTEST_PAUSE_MS;
    if (mark === this.#mark) return;
    this.#mark = mark;
    const hints = await this.#client.transact(call, ({ sessionStates, changedGroups, resignGroups }) => {
      const changed = this.#changes.since(sessionStates.all({}));
      if (changed.length === 0) return [];
      const request = { sessionIds: JSON.stringify(changed), limit: GROUPS_LOOKED_UP };
      return changeHints(changedGroups.all(request), resignGroups.all(request));
    });
    for (const hint of hints) if (!this.#isClosed) this.#onHint(hint);
  }
}
