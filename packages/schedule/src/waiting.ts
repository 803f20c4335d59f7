import { StoreError, type Clock, type Timer } from '@wb/core';

/** Resolves after `delayMs`. */
export function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.schedule(delayMs, resolve);
  });
}

/** Calls `callback` once, after `delayMs`, however long that is: a clock may wake up earlier. */
export function after(clock: Clock, delayMs: number, callback: () => void): Timer {
  const endMs = clock.now().monotonicMs + delayMs;
  let timer: Timer;
  const wait = (leftMs: number): void => {
    timer = clock.schedule(leftMs, () => {
      const stillMs = endMs - clock.now().monotonicMs;
      if (stillMs > 0) wait(stillMs);
      else callback();
    });
  };
  wait(delayMs);
  return { cancel: () => timer.cancel() };
}

/**
 * Calls the store, and settles within the deadline, or when `signal` aborts, whatever the store does (T5).
 * @throws what the store throws; `StoreError` `STORE_TIMEOUT`; the signal's reason.
 */
export async function boundedCall<T>(
  clock: Clock,
  operation: string,
  deadlineMs: number,
  send: (signal: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  signal?.throwIfAborted();
  const abort = new AbortController();
  const onAbort = (): void => abort.abort(signal?.reason);
  signal?.addEventListener('abort', onAbort);
  const timer = clock.schedule(deadlineMs, () => {
    abort.abort(new StoreError('STORE_TIMEOUT', `\`${operation}\` had no answer within ${deadlineMs} ms`, { isRetryable: true }));
  });
  try {
    return await new Promise<T>((resolve, reject) => {
      abort.signal.addEventListener('abort', () => reject(abort.signal.reason));
      send(abort.signal).then(resolve, reject);
    });
  } finally {
    timer.cancel();
    signal?.removeEventListener('abort', onAbort);
  }
}

/** A sleep that can be ended from outside: for a loop that waits for a time or for news. */
export class Alarm {
  readonly #clock: Clock;
  #isRung = false;
  #wake: (() => void) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Ends the sleep, or the next one. */
  ring(): void {
    this.#isRung = true;
    this.#wake?.();
  }

  /** Resolves after `delayMs`, or when it rings, or has rung since the last sleep. */
  async sleep(delayMs: number): Promise<void> {
    if (!this.#isRung) {
      await new Promise<void>((resolve) => {
        const timer = Number.isFinite(delayMs) ? this.#clock.schedule(delayMs, resolve) : null;
        this.#wake = () => {
          timer?.cancel();
          resolve();
        };
      });
    }
    this.#wake = null;
    this.#isRung = false;
  }
}
