import type { LeaseStore } from './lease-store.js';
import type { StoreCaller } from './store-caller.js';

/** Brings the store up to date before anything else is asked of it, once in the life of a coordinator (F20). */
export class Migration {
  readonly #store: LeaseStore;
  readonly #caller: StoreCaller;
  #isDone: boolean;
  /** Under way, for all who wait for it. */
  #attempt: Promise<void> | null = null;

  /** @param isWanted `false`: somebody else does it. */
  constructor(store: LeaseStore, caller: StoreCaller, isWanted: boolean) {
    this.#store = store;
    this.#caller = caller;
    this.#isDone = !isWanted;
  }

  /** Resolves when it is done. @throws {@link StoreError} when it failed, or took longer than `deadlineMs`; the next one tries again. */
  async ensure(deadlineMs: number): Promise<void> {
    if (this.#isDone) return;
    this.#attempt ??= this.#migrate(deadlineMs).finally(() => {
      this.#attempt = null;
    });
    await this.#attempt;
  }

  async #migrate(deadlineMs: number): Promise<void> {
    await this.#caller.call('migrate', deadlineMs, (signal) => this.#store.migrate({ signal }));
    this.#isDone = true;
  }
}
