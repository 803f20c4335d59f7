import { StoreError } from '@wb/core';

/** When a call must be over: its signal aborts, or the store closes. One for each call; dispose it when the call has settled. */
export class CallEnd {
  readonly #operation: string;
  readonly #signal: AbortSignal | undefined;
  readonly #calls: Set<CallEnd>;
  readonly #listeners = new Set<() => void>();
  readonly #onAbort = (): void => this.#ring();
  #isClosed = false;

  /** @param calls Those of the store that are under way: `close()` ends them all. */
  constructor(operation: string, signal: AbortSignal | undefined, calls: Set<CallEnd>) {
    this.#operation = operation;
    this.#signal = signal;
    this.#calls = calls;
    calls.add(this);
    signal?.addEventListener('abort', this.#onAbort);
  }

  /** The store closes. */
  close(): void {
    this.#isClosed = true;
    this.#ring();
  }

  /** Fails if the call must be over. */
  assertGoingOn(): void {
    if (this.isOver) throw this.error('none');
  }

  get isOver(): boolean {
    return this.#isClosed || this.#signal?.aborted === true;
  }

  /** Why the call must be over. */
  error(outcome: 'none' | 'unknown'): StoreError {
    if (this.#isClosed) return new StoreError('STORE_CLOSED', `\`${this.#operation}\` failed: the store is closed`, { outcome });
    return new StoreError('STORE_TIMEOUT', `\`${this.#operation}\` was aborted before the database answered`, {
      cause: this.#signal?.reason,
      isRetryable: true,
      outcome,
    });
  }

  /** Calls `listener` when the call must be over, at once if it must already. Returns what takes the listener back. */
  onOver(listener: () => void): () => void {
    this.#listeners.add(listener);
    if (this.isOver) listener();
    return () => this.#listeners.delete(listener);
  }

  dispose(): void {
    this.#calls.delete(this);
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#listeners.clear();
  }

  #ring(): void {
    for (const listener of this.#listeners) listener();
  }
}
