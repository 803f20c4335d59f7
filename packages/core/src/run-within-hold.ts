import type { Clock } from './clock.js';
import { StoreError } from './errors.js';
import { hasPassed, instantAfter } from './trust.js';

/** When a fenced transaction is over. */
export interface HoldLimits {
  readonly clock: Clock;
  /** How long it may last, in ms. */
  readonly holdMs: number;
  /** Each ends it when it aborts; a reason that is a {@link StoreError} is what it rejects with. */
  readonly signals: readonly (AbortSignal | undefined)[];
}

/**
 * For stores: runs the work of a fenced transaction, and no longer than the transaction may last. Rejects when it is over, whether the work settles or not: the
 * caller then rolls back. Work that settles in time, but is seen to only when the time is over, because it kept the event loop busy or the machine slept (T3), is late, too.
 *
 * @throws what `work` throws; {@link StoreError} `STORE_TIMEOUT` with the outcome `'none'`: the commit was not sent.
 */
export async function runWithinHold<T>(work: () => T | PromiseLike<T>, { clock, holdMs, signals }: HoldLimits): Promise<T> {
  const overAt = instantAfter(clock.now(), holdMs);
  const tooLate = (): StoreError => timeout(`it lasted longer than ${Math.ceil(holdMs)} ms`, undefined);
  const cleanUps: (() => void)[] = [];
  const over = new Promise<never>((_resolve, reject) => {
    const timer = clock.schedule(holdMs, () => reject(tooLate()));
    cleanUps.push(() => timer.cancel());
    for (const signal of signals) {
      if (signal === undefined) continue;
      const onAbort = (): void =>
        reject(signal.reason instanceof StoreError ? signal.reason : timeout('it was aborted', signal.reason as unknown));
      if (signal.aborted) onAbort();
      signal.addEventListener('abort', onAbort);
      cleanUps.push(() => signal.removeEventListener('abort', onAbort));
    }
  });
  // Also when the work is over first: then nobody waits for this one.
  over.catch(() => undefined);
  try {
    const isOver = signals.some((signal) => signal?.aborted === true);
    const result = await (isOver ? over : Promise.race([over, Promise.resolve().then(work)]));
    if (hasPassed(overAt, clock.now())) throw tooLate();
    return result;
  } finally {
    for (const cleanUp of cleanUps) cleanUp();
  }
}

function timeout(why: string, cause: unknown): StoreError {
  const message = `the fenced transaction was rolled back: ${why}; nothing was written`;
  return new StoreError('STORE_TIMEOUT', message, { cause, outcome: 'none', isRetryable: true });
}
