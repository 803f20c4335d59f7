import { systemClock } from '@wb/core';

/** Resolves after `delayMs`. */
export function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    systemClock.schedule(delayMs, resolve);
  });
}
