import type { Clock, Timer } from './clock.js';
import { StoreError } from './errors.js';
import type { LeaseHint, LeaseStore } from './lease-store.js';
import type { Migration } from './migration.js';
import type { StoreCaller } from './store-caller.js';
import type { Timings } from './timings.js';

/** The longest pause before another attempt, in ms. */
const LONGEST_PAUSE_MS = 60_000;

/** What the watch is made of. */
export interface HintWatchParts {
  readonly store: LeaseStore;
  readonly migration: Pick<Migration, 'ensure'>;
  readonly timings: Timings;
  readonly clock: Clock;
  /** From 0 to below 1: spreads the attempts of many processes. */
  readonly random: () => number;
}

/** Keeps the store's hints coming, where it has any (W1). They only save time: a watch that fails is tried again, less and less often, and at once with the next session. */
export class HintWatch {
  readonly #parts: HintWatchParts;
  readonly #caller: StoreCaller;
  readonly #onHint: (hint: LeaseHint) => void;
  #watch: AsyncDisposable | 'starting' | null = null;
  #retry: Timer | null = null;
  #failureCount = 0;
  #isClosed = false;

  constructor(parts: HintWatchParts, caller: StoreCaller, onHint: (hint: LeaseHint) => void) {
    this.#parts = parts;
    this.#caller = caller;
    this.#onHint = onHint;
  }

  /** Starts, unless it runs already. */
  async start(): Promise<void> {
    const { store, migration, timings } = this.#parts;
    if (this.#watch !== null || this.#isClosed || store.watch === undefined) return;
    this.#watch = 'starting';
    this.#retry?.cancel();
    this.#retry = null;
    try {
      // Who only observes may be the first to ask anything of the store.
      await migration.ensure(timings.callDeadlineMs);
      const started = await this.#caller.call('watch', timings.callDeadlineMs, (signal) => store.watch!(this.#onHint, { signal }));
      this.#watch = started;
      this.#failureCount = 0;
      if (this.#isClosed) await started[Symbol.asyncDispose]();
    } catch (error) {
      // Reported by the caller.
      this.#watch = null;
      if (error instanceof StoreError && error.isRetryable) this.#startLater();
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#retry?.cancel();
    this.#retry = null;
    if (this.#watch !== null && this.#watch !== 'starting') await this.#watch[Symbol.asyncDispose]();
  }

  #startLater(): void {
    if (this.#isClosed) return;
    const { timings, clock, random } = this.#parts;
    const fullMs = Math.min(LONGEST_PAUSE_MS, timings.heartbeatMs * 2 ** Math.min(this.#failureCount, 16));
    this.#failureCount += 1;
    this.#retry = clock.schedule(fullMs * (0.5 + random() / 2), () => void this.start());
  }
}
