import type { Random } from '@wb/core/testing';
import type { JobOptions } from '../src/index.js';

/** 2026-01-01T00:00:00Z: what the wall clocks show at the beginning, more or less. */
export const START_MS = 1_767_225_600_000;

/** A job of a world: the same on each of its members. */
export interface JobSpec {
  readonly groupId: string;
  readonly jobId: string;
  readonly options: Omit<JobOptions, 'job' | 'onEvent' | 'log'>;
}

/** Draws a job with policies of all kinds. */
export function drawJob(random: Random, groupId: string, jobId: string, ttlMs: number): JobSpec {
  const after = (leastTtls: number, mostTtls: number): number => Math.round(START_MS + random.between(leastTtls, mostTtls) * ttlMs);
  const retryMs = Math.round(random.between(20, ttlMs / 2));
  const trigger = drawTrigger(random, ttlMs);
  const isBounded = trigger.at === undefined;
  return {
    groupId,
    jobId,
    options: {
      ...trigger,
      ...(isBounded && random.chance(0.3) && { startAt: after(-1, 3) }),
      ...(isBounded && random.chance(0.25) && { endAt: after(4, 12) }),
      ...(random.chance(0.3) && { maxCount: 3 + random.below(40) }),
      onError: random.pick(['CONTINUE', 'CONTINUE', 'LOG_AND_CONTINUE', 'TERMINATE'] as const),
      onOverlap: random.pick(['WAIT', 'IGNORE', 'LOG_AND_IGNORE'] as const),
      onMisfire: random.pick(['run-once', 'skip', 'run-all'] as const),
      misfireLimit: random.pick([1, 3, 50]),
      misfireGraceMs: random.pick([50, 500, 5_000]),
      onInterrupted: random.pick(['skip', 'rerun', 'rerun', 'ask'] as const),
      maxReruns: 1 + random.below(3),
      ...(random.chance(0.4) && {
        retry: { maxAttempts: 2 + random.below(3), intervalMs: retryMs, backoff: random.pick(['FIXED', 'EXPONENTIAL'] as const) },
      }),
      ...(random.chance(0.5) && { timeoutMs: Math.round(random.between(ttlMs / 4, ttlMs)) }),
      settleMs: Math.round(random.between(20, ttlMs / 2)),
    },
  };
}

function drawTrigger(random: Random, ttlMs: number): Pick<JobOptions, 'every' | 'cron' | 'at'> {
  const kind = random.next();
  if (kind < 0.8) return { every: Math.round(random.between(80, 1.2 * ttlMs)) };
  if (kind < 0.88) return { cron: '* * * * * *' };
  return { at: Math.round(START_MS + random.between(-1, 6) * ttlMs) };
}

/** The scheduled times after one instant and up to another. An account of its own: it shares no code with the triggers that it is to check. */
export function timesBetween({ options }: JobSpec, anchorAtMs: number, afterMs: number, untilMs: number): number[] {
  const { every, at, startAt, endAt } = options;
  const fromMs = Math.max(afterMs + 1, Number(startAt ?? Number.NEGATIVE_INFINITY));
  const toMs = Math.min(untilMs, Number(endAt ?? Number.POSITIVE_INFINITY));
  if (at !== undefined) return Number(at) >= fromMs && Number(at) <= toMs ? [Number(at)] : [];
  // A pattern of every second is an interval that is counted from 1970.
  const [stepMs, zeroMs] = every === undefined ? [1_000, 0] : [every, anchorAtMs];
  const times: number[] = [];
  const firstMs = every === undefined ? fromMs : Math.max(fromMs, zeroMs);
  for (let atMs = zeroMs + Math.ceil((firstMs - zeroMs) / stepMs) * stepMs; atMs <= toMs; atMs += stepMs) times.push(atMs);
  return times;
}
