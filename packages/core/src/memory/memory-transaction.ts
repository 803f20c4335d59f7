import { transactionOverError } from '../fence.js';

/** What a fenced transaction of the memory store works with: values by key. What it writes is seen by others when it is committed. */
export class MemoryTransaction {
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #writes = new Map<string, unknown>();
  #isOver = false;

  /** @param values What is committed. */
  constructor(values: ReadonlyMap<string, unknown>) {
    this.#values = values;
  }

  /** The value as this transaction sees it; `undefined` if there is none. */
  get(key: string): unknown {
    this.#assertOpen();
    return this.#writes.has(key) ? this.#writes.get(key) : this.#values.get(key);
  }

  set(key: string, value: unknown): void {
    this.#assertOpen();
    this.#writes.set(key, value);
  }

  /** Ends it: whoever kept it can do nothing with it any more. Returns what it has written. @internal */
  end(): ReadonlyMap<string, unknown> {
    this.#isOver = true;
    return this.#writes;
  }

  #assertOpen(): void {
    if (this.#isOver) throw transactionOverError();
  }
}
