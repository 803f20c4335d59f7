import { StoreError } from '@wb/core';
import { nowMs, pause } from '../measure/clock.js';

/**
 * Calls `work` so often as `count` processes would that each call it every `everyMs`, evenly spread, for `windowMs`; and waits for the last to end. The time of each counts from when it was due, so that
 * a call that had to wait for others shows it. One that has no answer in time, from a server that has too much to do, is not done.
 */
export async function atSteadyRate(
  count: number,
  everyMs: number,
  windowMs: number,
  work: () => Promise<void>,
): Promise<{ readonly samplesMs: readonly number[]; readonly elapsedMs: number }> {
  const samplesMs: number[] = [];
  const running: Promise<void>[] = [];
  const startedAtMs = nowMs();
  const intervalMs = everyMs / count;
  const total = Math.max(1, Math.floor(windowMs / intervalMs));
  for (let at = 0; at < total; at += 1) {
    const dueAtMs = startedAtMs + at * intervalMs;
    const waitMs = dueAtMs - nowMs();
    if (waitMs > 0) await pause(waitMs);
    const call = work().then(
      () => void samplesMs.push(nowMs() - dueAtMs),
      (error: unknown) => {
        if (!(error instanceof StoreError && error.isRetryable)) throw error;
      },
    );
    // It is waited for below.
    call.catch(() => undefined);
    running.push(call);
  }
  await Promise.all(running);
  return { samplesMs, elapsedMs: nowMs() - startedAtMs };
}
