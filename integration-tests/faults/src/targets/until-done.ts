import { setTimeout as sleep } from 'node:timers/promises';
import { nowMs } from '../machine-time.js';

const EVERY_MS = 100;

/** Tries again until it succeeds. @throws What the first attempt failed with that ended after `limitMs`. */
export async function untilDone<T>(limitMs: number, attempt: () => Promise<T>): Promise<T> {
  for (const endMs = nowMs() + limitMs; ; await sleep(EVERY_MS)) {
    try {
      return await attempt();
    } catch (error) {
      if (nowMs() > endMs) throw error;
    }
  }
}
