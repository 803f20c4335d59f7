import type { Timings } from '@wb/core';
import { CliError } from './cli-error.js';

/** How often the keeper is told how long the lease is trusted, in parts of a heartbeat. */
const RENEWALS_PER_HEARTBEAT = 4;

/** How often the keeper is told how long the lease is trusted, in ms. */
export function renewMsOf({ heartbeatMs }: Timings): number {
  return heartbeatMs / RENEWALS_PER_HEARTBEAT;
}

/**
 * The longest time between SIGTERM and SIGKILL when trust is ending, in ms. SIGTERM is sent that much before the trust ends; so it takes away from the time for which a heartbeat may fail, and two
 * lost calls must still be survivable (T2).
 */
function maxKillAfterMs(timings: Timings): number {
  const { ttlMs, heartbeatMs, callDeadlineMs, safetyMarginMs } = timings;
  return Math.floor(ttlMs - safetyMarginMs - heartbeatMs - 2 * callDeadlineMs - renewMsOf(timings));
}

/**
 * @param given What the user wants, in ms. Default: the longest possible, at most 10 s.
 * @throws {@link CliError} naming the limit.
 */
export function resolveKillAfterMs(given: number | undefined, timings: Timings): number {
  const maxMs = maxKillAfterMs(timings);
  if (given === undefined) return Math.max(0, Math.min(10_000, maxMs));
  if (given <= maxMs) return given;
  throw new CliError(
    `--kill-after (${given / 1_000} s) must be at most ${maxMs / 1_000} s with these timings: two lost heartbeats would already stop COMMAND`,
    {
      hint: 'make --ttl longer or --kill-after shorter',
    },
  );
}
