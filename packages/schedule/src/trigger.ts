/**
 * When a job is due: pure functions from instants to instants, in ms since 1970. No clock is read here.
 *
 * @module
 */
import { Cron } from 'croner';
import { dateOf, isoOf } from './clock.js';

/** The scheduled times of a job. */
export interface Trigger {
  /** For people, and to notice that somebody has changed it. */
  readonly text: string;
  /** The first time after an instant; `null`: there is none. */
  next(afterMs: number, anchorAtMs: number): number | null;
  /** The times after one instant and up to another. */
  due(afterMs: number, nowMs: number, anchorAtMs: number, keep: number): DueTimes;
}

/** Times that have come. */
export interface DueTimes {
  /** The last of them, as many as were to be kept, in order. */
  readonly lastMs: readonly number[];
  readonly count: number;
  /** When the first of them was. */
  readonly firstMs: number | null;
  /** Whether `count` is exact: beyond {@link MAX_COUNTED} the times of a cron pattern are not counted one by one. */
  readonly isExact: boolean;
}

/** How many times of a cron pattern are counted one by one; one more than are kept, if that is more. */
export const MAX_COUNTED = 1_000;

const NONE: DueTimes = Object.freeze({ lastMs: [], count: 0, firstMs: null, isExact: true });

/**
 * `anchor + k · every`, k from 0: the interval never drifts, however late the runs are.
 * @param startAtMs The anchor, if it is given; else not finite.
 */
export function everyTrigger(everyMs: number, startAtMs: number): Trigger {
  const next = (afterMs: number, anchorAtMs: number): number =>
    afterMs < anchorAtMs ? anchorAtMs : anchorAtMs + (Math.floor((afterMs - anchorAtMs) / everyMs) + 1) * everyMs;
  return {
    text: `every ${everyMs} ms${Number.isFinite(startAtMs) ? ` from ${isoOf(startAtMs)}` : ''}`,
    next,
    due: (afterMs, nowMs, anchorAtMs, keep) => {
      const firstMs = next(afterMs, anchorAtMs);
      if (firstMs > nowMs) return NONE;
      const count = Math.floor((nowMs - firstMs) / everyMs) + 1;
      const kept = Math.min(count, keep);
      const lastMs = Array.from({ length: kept }, (_, at) => firstMs + (count - kept + at) * everyMs);
      return { lastMs, count, firstMs, isExact: true };
    },
  };
}

/** One time. */
export function atTrigger(atMs: number): Trigger {
  const due: DueTimes = { lastMs: [atMs], count: 1, firstMs: atMs, isExact: true };
  return {
    text: `at ${isoOf(atMs)}`,
    next: (afterMs) => (afterMs < atMs ? atMs : null),
    due: (afterMs, nowMs) => (afterMs < atMs && atMs <= nowMs ? due : NONE),
  };
}

/**
 * A cron pattern in a time zone. A daily time that a change of the clocks skips comes at the first instant after the gap; one that comes twice is the first of both. What fits a pattern of several
 * hours, or of every hour, comes as often as it is on the clock: not at all, once or twice.
 *
 * @throws what croner throws for a pattern or a zone that it cannot read.
 */
export function cronTrigger(pattern: string, timeZone: string): Trigger {
  const cron = new Cron(pattern, { timezone: timeZone, paused: true });
  const next = (afterMs: number): number | null => cron.nextRun(dateOf(afterMs))?.getTime() ?? null;
  // A zone is first looked up when it is needed.
  next(0);
  return {
    text: `cron ${pattern} (${timeZone})`,
    next,
    due: (afterMs, nowMs, _anchorAtMs, keep) => {
      const times: number[] = [];
      // So that of more than are kept it is known that there are more.
      const limit = Math.max(MAX_COUNTED, keep + 1);
      let atMs = next(afterMs);
      const firstMs = atMs;
      while (atMs !== null && atMs <= nowMs && times.length < limit) {
        times.push(atMs);
        atMs = next(atMs);
      }
      if (firstMs === null || times.length === 0) return NONE;
      if (atMs === null || atMs > nowMs) return { lastMs: times.slice(-keep), count: times.length, firstMs, isExact: true };
      // The pattern library looks for what is before an instant, and knows seconds.
      const last = cron
        .previousRuns(keep + 1, dateOf(nowMs + 1_000))
        .map((date) => date.getTime())
        .filter((each) => each <= nowMs && each > afterMs);
      return { lastMs: last.toReversed().slice(-keep), count: times.length, firstMs, isExact: false };
    },
  };
}

/** Only the times from one instant to another, both included. */
export function boundedTrigger(trigger: Trigger, startAtMs: number, endAtMs: number): Trigger {
  const from = (afterMs: number): number => Math.max(afterMs, startAtMs - 1);
  return {
    text: trigger.text,
    next: (afterMs, anchorAtMs) => {
      const atMs = trigger.next(from(afterMs), anchorAtMs);
      return atMs === null || atMs > endAtMs ? null : atMs;
    },
    due: (afterMs, nowMs, anchorAtMs, keep) => trigger.due(from(afterMs), Math.min(nowMs, endAtMs), anchorAtMs, keep),
  };
}
