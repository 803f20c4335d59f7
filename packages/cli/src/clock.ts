import { systemClock, type Clock, type LocalInstant, type Timer } from '@wb/core';

/**
 * The clocks of this machine, with a monotonic one whose zero is the same for all processes of the machine, so that one process can tell another
 * the moment at which something ends, and not only how long it lasts: a message that is late then changes nothing.
 */
export const machineClock: Clock = Object.freeze({
  now: (): LocalInstant => ({ monotonicMs: Number(process.hrtime.bigint()) / 1e6, wallMs: systemClock.now().wallMs }),
  schedule: (delayMs: number, callback: () => void): Timer => systemClock.schedule(delayMs, callback),
});

/** Resolves `ms` from now. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    systemClock.schedule(ms, resolve);
  });
}
