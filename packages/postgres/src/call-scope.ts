import { StoreError, systemClock, type Timer } from '@wb/core';

/** What a call waits for, and how long at most. */
export interface WaitOptions<T> {
  /** In ms. */
  readonly limitMs: number;
  /** What is waited for, for the message: `'the server let us in'`. */
  readonly for: string;
  /** Is given the result if it comes after the call has ended. */
  readonly onLate?: (value: T) => void;
}

/** One statement from the pool to the answer: ends with its signal, with the store, or at a limit, whatever comes first (T5). */
export class CallScope {
  readonly #operation: string | (() => string);
  readonly #signal: AbortSignal | undefined;
  readonly #listeners = new Set<() => void>();
  readonly #onAbort = (): void => {
    this.end(this.#timeout(`\`${this.operation}\` was aborted`, this.#signal?.reason));
  };
  readonly #startedAtMs = systemClock.now().monotonicMs;
  #fault: StoreError | null = null;
  #isSent = false;

  constructor(operation: string | (() => string), signal: AbortSignal | undefined) {
    this.#operation = operation;
    this.#signal = signal;
    if (signal?.aborted === true) this.#onAbort();
    else signal?.addEventListener('abort', this.#onAbort);
  }

  /** What it is called. */
  get operation(): string {
    return typeof this.#operation === 'string' ? this.#operation : this.#operation();
  }

  /** How long ago it began, in ms. */
  get elapsedMs(): number {
    return systemClock.now().monotonicMs - this.#startedAtMs;
  }

  /** Why it has ended early, if it has. */
  get fault(): StoreError | null {
    return this.#fault;
  }

  /** Ends it in so many ms, unless the timer is cancelled: it waits for something. */
  limitWait(limitMs: number, what: string): Timer {
    return systemClock.schedule(limitMs, () => this.end(this.#overdue(limitMs, what)));
  }

  /** From now on the outcome of an early end is unknown. */
  markSent(): void {
    this.#isSent = true;
  }

  /** @throws {@link StoreError} if the call has ended. */
  assertGoingOn(): void {
    if (this.#fault) throw this.#fault;
  }

  /** Ends the call early: whoever waits is rejected. */
  end(fault: StoreError): void {
    if (this.#fault) return;
    this.#fault = fault;
    for (const listener of this.#listeners) listener();
    this.#listeners.clear();
  }

  /** The fault of a store that was closed under the call. */
  closedError(): StoreError {
    return new StoreError('STORE_CLOSED', `\`${this.operation}\` failed: the store is closed`, {
      outcome: this.#isSent ? 'unknown' : 'none',
    });
  }

  /** Waits for `promise`, and no longer than the call lasts. */
  async wait<T>(promise: Promise<T>, options: WaitOptions<T>): Promise<T> {
    return await new Promise<T>((resolve, reject) => {
      let isOver = false;
      const onEnd = (): void => finish(() => reject(this.#fault!));
      const timer = systemClock.schedule(options.limitMs, () => {
        const fault = this.#overdue(options.limitMs, options.for);
        finish(() => reject(fault));
      });
      const finish = (settle: () => void): void => {
        if (isOver) return;
        isOver = true;
        timer.cancel();
        this.#listeners.delete(onEnd);
        settle();
      };
      promise.then(
        (value) => {
          if (isOver) options.onLate?.(value);
          else finish(() => resolve(value));
        },
        (error) => finish(() => reject(error)),
      );
      if (this.#fault) onEnd();
      else this.#listeners.add(onEnd);
    });
  }

  /** To be called when the call is over. */
  dispose(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }

  #overdue(limitMs: number, what: string): StoreError {
    return this.#timeout(`\`${this.operation}\` failed: it took longer than ${Math.ceil(limitMs)} ms until ${what}`, undefined);
  }

  #timeout(message: string, cause: unknown): StoreError {
    return new StoreError('STORE_TIMEOUT', message, { cause, isRetryable: true, outcome: this.#isSent ? 'unknown' : 'none' });
  }
}
