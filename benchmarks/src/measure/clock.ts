import { setTimeout as sleep } from 'node:timers/promises';

/** Monotonic time, in ms. */
export function nowMs(): number {
  return performance.now();
}

/** The processor time that this process has used so far, in ms. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

export async function pause(delayMs: number): Promise<void> {
  await sleep(delayMs);
}
