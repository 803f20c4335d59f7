import type { LeaseHint, LeaseStore } from './lease-store.js';
import type { StoreCaller } from './store-caller.js';

/** Keeps the store's hints coming, where it has any. They only save time: a watch that fails is tried again with the next session (W1). */
export class HintWatch {
  readonly #store: LeaseStore;
  readonly #caller: StoreCaller;
  readonly #deadlineMs: number;
  readonly #onHint: (hint: LeaseHint) => void;
  #watch: AsyncDisposable | 'starting' | null = null;
  #isClosed = false;

  constructor(store: LeaseStore, caller: StoreCaller, deadlineMs: number, onHint: (hint: LeaseHint) => void) {
    this.#store = store;
    this.#caller = caller;
    this.#deadlineMs = deadlineMs;
    this.#onHint = onHint;
  }

  /** Starts, unless it runs already. */
  async start(): Promise<void> {
    const store = this.#store;
    if (this.#watch !== null || this.#isClosed || store.watch === undefined) return;
    this.#watch = 'starting';
    try {
      const started = await this.#caller.call('watch', this.#deadlineMs, (signal) => store.watch!(this.#onHint, { signal }));
      this.#watch = started;
      if (this.#isClosed) await started[Symbol.asyncDispose]();
    } catch {
      // Reported by the caller.
      this.#watch = null;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#watch !== null && this.#watch !== 'starting') await this.#watch[Symbol.asyncDispose]();
  }
}
