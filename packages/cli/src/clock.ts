import { systemClock, type Clock, type LocalInstant, type Timer } from '@wb/core';

/**
 * The clocks of this machine, with a monotonic one whose zero is the same for all processes of the machine, so that one process can tell another
 * the moment at which something ends, and not only how long it lasts: a message that is late then changes nothing.
 */
export const machineClock: Clock = Object.freeze({
  now: (): LocalInstant => ({ monotonicMs: Number(process.hrtime.bigint()) / 1e6, wallMs: systemClock.now().wallMs }),
  schedule: (delayMs: number, callback: () => void): Timer => systemClock.schedule(delayMs, callback),
});

/** A time of day for people, in UTC: `2030-01-02 12:00:00.000`. @param wallMs In ms since 1970. */
export function timeOfDay(wallMs: number): string {
  return new Date(wallMs).toISOString().replace('T', ' ').replace('Z', '');
}

/** Resolves `ms` from now. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    systemClock.schedule(ms, resolve);
  });
}

/** Resolves `ms` from now, or when the signal aborts. Leaves no timer behind. */
export async function pauseUnless(signal: AbortSignal, ms: number): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const end = (): void => {
      timer.cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = systemClock.schedule(ms, end);
    signal.addEventListener('abort', end, { once: true });
  });
}
