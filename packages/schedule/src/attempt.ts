import type { Clock } from '@wb/core';
import { JobHungError, JobTimeoutError } from './job-errors.js';
import type { AttemptEnd } from './settle.js';
import { after } from './waiting.js';

/** What an attempt is given. */
export interface AttemptParts {
  readonly jobId: string;
  readonly clock: Clock;
  readonly timeoutMs: number | null;
  readonly settleMs: number;
  /** Aborts when leadership ends, or the job is stopped at once. */
  readonly stop: AbortSignal;
  /** Aborts when this member gives up its runs, whether they settle or not, because one of them hangs. */
  readonly abandon: AbortSignal;
  readonly run: (signal: AbortSignal) => unknown;
}

/** How an attempt ended; `'stopped'`: it was aborted from outside, and did not return. */
export type AttemptResult = AttemptEnd | { readonly kind: 'stopped' };

/**
 * One attempt of the user's work.
 *
 * What returns has succeeded, also when its signal has aborted meanwhile, unless its time was over: so work that stops because of its signal must throw. Past its time, it has `settleMs`. Stopped from outside, it is waited for (T7): if no time is set, without a limit.
 */
export async function runAttempt({ jobId, clock, timeoutMs, settleMs, stop, abandon, run }: AttemptParts): Promise<AttemptResult> {
  const abort = new AbortController();
  let timeout: JobTimeoutError | null = null;
  const onStop = (): void => abort.abort(stop.reason);
  stop.addEventListener('abort', onStop);
  const cleanUps = [() => stop.removeEventListener('abort', onStop)];
  const given = new Promise<AttemptResult>((resolve) => {
    const onAbandon = (): void => {
      const timer = after(clock, settleMs, () => resolve({ kind: 'stopped' }));
      cleanUps.push(() => timer.cancel());
    };
    abandon.addEventListener('abort', onAbandon);
    cleanUps.push(() => abandon.removeEventListener('abort', onAbandon));
    if (timeoutMs === null) return;
    const timer = after(clock, timeoutMs, () => {
      // Also of one that was aborted before from outside: somebody waits for its end (F4).
      if (!abort.signal.aborted) {
        timeout = new JobTimeoutError(jobId, timeoutMs);
        abort.abort(timeout);
      }
      const settling = after(clock, settleMs, () => resolve({ kind: 'hung', error: new JobHungError(jobId, settleMs) }));
      cleanUps.push(() => settling.cancel());
    });
    cleanUps.push(() => timer.cancel());
  });
  const settled = (async (): Promise<AttemptResult> => {
    try {
      await run(abort.signal);
      return timeout === null ? { kind: 'succeeded' } : { kind: 'timed-out', error: timeout };
    } catch (error) {
      if (timeout !== null) return { kind: 'timed-out', error };
      return stop.aborted ? { kind: 'stopped' } : { kind: 'failed', error };
    }
  })();
  try {
    return await Promise.race([settled, given]);
  } finally {
    for (const cleanUp of cleanUps) cleanUp();
  }
}
