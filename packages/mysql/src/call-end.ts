import { StoreError, type Clock, type Timer } from '@wb/core';

/** When a call must be over: its signal aborts, its time is up, or the store closes. One for each call; dispose it when the call has settled. */
export class CallEnd {
  readonly #operation: string;
  readonly #signal: AbortSignal | undefined;
  readonly #calls: Set<CallEnd>;
  readonly #listeners = new Set<() => void>();
  readonly #onAbort = (): void => this.#ring();
  #isClosed = false;
  #limitMs: number | null = null;
  #timer: Timer | null = null;

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

  /** From now on it may last `limitMs` at most. */
  limit(clock: Clock, limitMs: number): void {
    this.#timer = clock.schedule(limitMs, () => {
      this.#limitMs = limitMs;
      this.#ring();
    });
  }

  /** Takes {@link limit} back, if it is not over by then. */
  liftLimit(): void {
    this.#timer?.cancel();
  }

  /** Fails if the call must be over. */
  assertGoingOn(): void {
    if (this.isOver) throw this.error('none');
  }

  get isOver(): boolean {
    return this.#isClosed || this.#limitMs !== null || this.#signal?.aborted === true;
  }

  /** Why the call must be over. */
  error(outcome: 'none' | 'unknown'): StoreError {
    if (this.#isClosed) return new StoreError('STORE_CLOSED', `\`${this.#operation}\` failed: the store is closed`, { outcome });
    if (this.#limitMs !== null) {
      const message = `\`${this.#operation}\` failed: the database did not answer within ${this.#limitMs} ms`;
      return new StoreError('STORE_TIMEOUT', message, { isRetryable: true, outcome });
    }
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
    this.liftLimit();
    this.#calls.delete(this);
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#listeners.clear();
  }

  #ring(): void {
    for (const listener of this.#listeners) listener();
  }
}
