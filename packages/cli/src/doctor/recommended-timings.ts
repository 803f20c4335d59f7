import { resolveTimings, type Timings } from '@wb/core';
import { renewMsOf, resolveKillAfterMs } from '../kill-after.js';

/** What timings mean for who uses them. All in ms. */
export interface TimingsMeaning {
  /** A leader dies, hangs, or is cut off: after that time at most another one leads (T9). */
  readonly takeoverMs: number;
  /** The longest time for which the database may be away, at the worst moment, without a leader stopping. */
  readonly survivedBlipMs: number;
  /** As {@link TimingsMeaning.survivedBlipMs}, for `wb run`, whose COMMAND gets SIGTERM before the trust in its lease ends. */
  readonly survivedByRunMs: number;
  /** Writes of one row, of each process, however many groups it leads or waits for. */
  readonly writesPerSecond: number;
}

/** Timings for a database. */
export interface Recommendation {
  readonly timings: Timings;
  readonly meaning: TimingsMeaning;
}

/** What is recommended is one of these. */
const TTLS_MS: readonly number[] = [5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1_200, 1_800, 3_600].map((s) => s * 1_000);
/** A call may take that many times what a slow one took: what is measured in a few seconds is not the worst. */
const ROOM = 20;
/** A process that collects its garbage, or whose machine is busy, is late by as much, however quick the database is; in ms. */
const LEAST_DEADLINE_MS = 1_000;
/** The longest deadline by default; see `resolveTimings`. */
const MOST_DEADLINE_MS = 5_000;

/**
 * The shortest TTL whose calls have room enough, and that survives the blip that is asked for. With a shorter one a leader takes over sooner, and more often for nothing.
 * @param heartbeatP99Ms How long a slow heartbeat takes.
 * @param surviveMs For how long the database may be away, at least, under `wb run` with its default `--kill-after`: without it, for longer.
 * @returns `null` if there is none.
 */
export function recommendTimings(heartbeatP99Ms: number, surviveMs = 0): Recommendation | null {
  const neededMs = Math.max(LEAST_DEADLINE_MS, Math.min(MOST_DEADLINE_MS, ROOM * heartbeatP99Ms));
  for (const ttlMs of TTLS_MS) {
    const timings = resolveTimings({ ttlMs });
    const meaning = meaningOf(timings, heartbeatP99Ms);
    if (isRoomy(timings, heartbeatP99Ms) && timings.callDeadlineMs >= neededMs && meaning.survivedByRunMs >= surviveMs)
      return { timings, meaning };
  }
  return null;
}

/** Whether a slow heartbeat is answered within its deadline, with room for one that is twice as slow. */
export function isRoomy({ callDeadlineMs }: Timings, heartbeatP99Ms: number): boolean {
  return 2 * heartbeatP99Ms <= callDeadlineMs;
}

/** What timings mean on a database whose slow heartbeats take that long. */
export function meaningOf(timings: Timings, heartbeatP99Ms: number): TimingsMeaning {
  const { ttlMs, heartbeatMs, callDeadlineMs, safetyMarginMs } = timings;
  // The blip begins just before a heartbeat is due, and ends just after a call was sent that is given up; or just after one has failed at once, and the next is due a whole heartbeat later.
  const lostMs = heartbeatMs + Math.max(callDeadlineMs, heartbeatMs) + heartbeatP99Ms;
  const survivedBlipMs = Math.max(0, ttlMs - safetyMarginMs - lostMs);
  return {
    takeoverMs: ttlMs + heartbeatMs,
    survivedBlipMs,
    // A heartbeat that went well is known to COMMAND's keeper up to a renewal later.
    survivedByRunMs: Math.max(0, survivedBlipMs - resolveKillAfterMs(undefined, timings) - renewMsOf(timings)),
    writesPerSecond: 1_000 / heartbeatMs,
  };
}
