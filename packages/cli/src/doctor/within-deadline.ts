import type { CallOptions, Clock } from '@wb/core';

/** Makes a call of a store that is aborted after `deadlineMs`. */
export async function withinDeadline<T>(clock: Clock, deadlineMs: number, call: (options: CallOptions) => Promise<T>): Promise<T> {
  const deadline = new AbortController();
  const timer = clock.schedule(deadlineMs, () => deadline.abort());
  try {
    return await call({ signal: deadline.signal });
  } finally {
    timer.cancel();
  }
}
