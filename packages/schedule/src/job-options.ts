import { assertDuration, assertName, WbOptionError } from '@wb/core';
import { instantOfDate, instantOfText } from './clock.js';
import type { JobEvent } from './job-events.js';
import { atTrigger, boundedTrigger, cronTrigger, everyTrigger, type Trigger } from './trigger.js';

/** An instant: a `Date`, ms since 1970, or an ISO 8601 text with its zone (`2026-11-24T02:30:00Z`, `…+01:00`). */
export type Instant = Date | number | string;

/** What follows a failed occurrence, in the words of the original. `LOG_AND_…` also writes a line by `log`. */
export type ErrorPolicy = 'LOG_AND_TERMINATE' | 'LOG_AND_CONTINUE' | 'TERMINATE' | 'CONTINUE';

/** What becomes of times that come while the job still runs, in the words of the original. */
export type WaitingPolicy = 'WAIT' | 'IGNORE' | 'LOG_AND_IGNORE';

/** What becomes of times at which nobody could run the job. */
export type MisfirePolicy = 'run-once' | 'skip' | 'run-all';

/** What becomes of an occurrence whose leader ended while it ran. */
export type InterruptedPolicy = 'rerun' | 'skip' | 'ask';

/** How often a failed attempt is repeated, and when. */
export interface RetryOptions {
  /** Attempts in all, the first one included. Range: a whole number, 1 to 1,000. */
  readonly maxAttempts: number;
  /** How long after the end of an attempt the next one begins, in ms. Default: 1,000. Range: 0 and more. */
  readonly intervalMs?: number;
  /** `FIXED`: always the same; `EXPONENTIAL`: twice as long each time. Default: `FIXED`. */
  readonly backoff?: 'FIXED' | 'EXPONENTIAL';
  /** The longest that `EXPONENTIAL` comes to, in ms. Default: none. Range: `intervalMs` and more. */
  readonly maxIntervalMs?: number;
}

/** Options of a job. Exactly one of `every`, `cron` and `at`. Give every member the same. */
export interface JobOptions {
  /** The job's name, of its group alone: 1–255 characters. Its record in the store has it, too. */
  readonly job: string;
  /** An interval in ms, counted from `startAt`, or from when the job was first seen by a leader; the first occurrence is at that instant. A `startAt` that is another one on each member changes the trigger at each failover. Range: a whole number, 1 to 31,536,000,000. */
  readonly every?: number;
  /** A cron pattern of five fields, or six with seconds in front. */
  readonly cron?: string;
  /** One instant. */
  readonly at?: Instant;
  /** The IANA name of the zone of `cron`. Default: `UTC`, which is the same on every machine. */
  readonly timeZone?: string;
  /** No occurrence before. Default: none. */
  readonly startAt?: Instant;
  /** No occurrence after. Default: none. */
  readonly endAt?: Instant;
  /** How many scheduled occurrences there are, in the whole group, ever. Default: no limit. Range: a whole number of at least 1. */
  readonly maxCount?: number;
  /** Default: `LOG_AND_CONTINUE`. `…TERMINATE` ends the job for the whole group. */
  readonly onError?: ErrorPolicy;
  /** Default: `WAIT`: one waits, the last of them; with `onMisfire: 'run-all'` each. `IGNORE`: they are skipped. */
  readonly onOverlap?: WaitingPolicy;
  /** `run-once`: the last of them is run, late. `skip`: none. `run-all`: each, in order, at most the last `misfireLimit`. Default: `run-once`. */
  readonly onMisfire?: MisfirePolicy;
  /** For `run-all`. Default: 10. Range: a whole number, 1 to 1,000. */
  readonly misfireLimit?: number;
  /** How late an occurrence may begin without being a misfire, in ms. Default: 5,000. Range: 0 and more. */
  readonly misfireGraceMs?: number;
  /** Default: `skip`, so that nothing is begun twice. `ask`: the job waits for an answer (`wb jobs`, or `answerInterrupted`). */
  readonly onInterrupted?: InterruptedPolicy;
  /** How often one occurrence is begun anew by `rerun`, so that one that kills its leaders does not kill all. Default: 3. Range: a whole number of at least 1. */
  readonly maxReruns?: number;
  /** Default: one attempt. */
  readonly retry?: RetryOptions;
  /** How long one attempt may take, in ms: then its signal aborts, and it has failed. Default: no limit. Range: 1 and more. */
  readonly timeoutMs?: number;
  /** How long an aborted attempt may take to settle, in ms, before its leader yields (F4). Default: 5,000. Range: 0 and more. */
  readonly settleMs?: number;
  /** Called with everything that happens to the job here, in order. What it throws is an uncaught exception. Default: none. */
  readonly onEvent?: (event: JobEvent) => void;
  /** Where `LOG_AND_…` writes its lines. What it throws is an uncaught exception. Default: standard error. */
  readonly log?: (line: string) => void;
}

/** What decides about a job, with nothing left open. */
export interface JobPolicy {
  readonly trigger: Trigger;
  readonly startAtMs: number;
  /** Whether the trigger is one instant: then an instant that has passed is missed, also at the first look. */
  readonly isSingle: boolean;
  readonly isEvery: boolean;
  readonly maxCount: number;
  readonly onError: ErrorPolicy;
  readonly onOverlap: WaitingPolicy;
  readonly onMisfire: MisfirePolicy;
  readonly misfireLimit: number;
  readonly misfireGraceMs: number;
  readonly onInterrupted: InterruptedPolicy;
  readonly maxReruns: number;
  readonly retry: Readonly<Required<RetryOptions>>;
}

/** {@link JobOptions}, checked. */
export interface ResolvedJobOptions {
  readonly jobId: string;
  readonly policy: JobPolicy;
  readonly timeoutMs: number | null;
  readonly settleMs: number;
  readonly onEvent: (event: JobEvent) => void;
  readonly log: (line: string) => void;
}

const MAX_EVERY_MS = 31_536_000_000;
const MAX_CRON_LENGTH = 200;
const MAX_ATTEMPTS = 1_000;
const MAX_MISFIRES = 1_000;
/** The last instant that a `Date` can be. */
const MAX_INSTANT_MS = 8_640_000_000_000_000;

/**
 * Fills in the defaults and checks the whole, before anything is touched.
 * @throws {@link WbOptionError} `INVALID_NAME`, `INVALID_OPTION`, naming the field, its value and the limit.
 */
export function resolveJobOptions(options: JobOptions): ResolvedJobOptions {
  assertName('job', options.job);
  const startAtMs = options.startAt === undefined ? Number.NEGATIVE_INFINITY : instant('startAt', options.startAt);
  const endAtMs = options.endAt === undefined ? Number.POSITIVE_INFINITY : instant('endAt', options.endAt);
  if (endAtMs < startAtMs) throw invalid('endAt', options.endAt, `must not be before \`startAt\` (${show(options.startAt)})`);
  const { maxCount, maxReruns = 3, misfireLimit = 10, misfireGraceMs = 5_000, settleMs = 5_000, timeoutMs } = options;
  if (maxCount !== undefined) assertWhole('maxCount', maxCount, 1);
  assertWhole('maxReruns', maxReruns, 1);
  assertWhole('misfireLimit', misfireLimit, 1, MAX_MISFIRES);
  assertDuration('misfireGraceMs', misfireGraceMs, 0);
  assertDuration('settleMs', settleMs, 0);
  if (timeoutMs !== undefined) assertDuration('timeoutMs', timeoutMs, 1);
  return {
    jobId: options.job,
    policy: {
      trigger: boundedTrigger(triggerOf(options, startAtMs, endAtMs), startAtMs, endAtMs),
      startAtMs,
      isSingle: options.at !== undefined,
      isEvery: options.every !== undefined,
      maxCount: maxCount ?? Number.POSITIVE_INFINITY,
      onError: oneOf('onError', options.onError ?? 'LOG_AND_CONTINUE', ['LOG_AND_TERMINATE', 'LOG_AND_CONTINUE', 'TERMINATE', 'CONTINUE']),
      onOverlap: oneOf('onOverlap', options.onOverlap ?? 'WAIT', ['WAIT', 'IGNORE', 'LOG_AND_IGNORE']),
      onMisfire: oneOf('onMisfire', options.onMisfire ?? 'run-once', ['run-once', 'skip', 'run-all']),
      misfireLimit,
      misfireGraceMs,
      onInterrupted: oneOf('onInterrupted', options.onInterrupted ?? 'skip', ['rerun', 'skip', 'ask']),
      maxReruns,
      retry: retryOf(options.retry),
    },
    timeoutMs: timeoutMs ?? null,
    settleMs,
    onEvent: functionOf('onEvent', options.onEvent) ?? (() => undefined),
    log: functionOf('log', options.log) ?? ((line) => void process.stderr.write(`${line}\n`)),
  };
}

function triggerOf(options: JobOptions, startAtMs: number, endAtMs: number): Trigger {
  const given = (['every', 'cron', 'at'] as const).filter((name) => options[name] !== undefined);
  if (given.length !== 1) {
    throw invalid(
      'every',
      options.every,
      `: exactly one of \`every\`, \`cron\` and \`at\` must be given, not ${given.length === 0 ? 'none' : given.join(' and ')}`,
    );
  }
  const { every, cron, at, timeZone } = options;
  if (timeZone !== undefined && cron === undefined)
    throw invalid('timeZone', timeZone, 'goes with `cron` only: the others are instants, which have no zone');
  if (every !== undefined) {
    assertWhole('every', every, 1, MAX_EVERY_MS);
    return everyTrigger(every, startAtMs);
  }
  if (at !== undefined) {
    const atMs = instant('at', at);
    if (atMs < startAtMs) throw invalid('at', at, `must not be before \`startAt\` (${show(options.startAt)}): it would never come`);
    if (atMs > endAtMs) throw invalid('at', at, `must not be after \`endAt\` (${show(options.endAt)}): it would never come`);
    return atTrigger(atMs);
  }
  if (typeof cron !== 'string' || cron.length > MAX_CRON_LENGTH)
    throw invalid('cron', cron, `must be a cron pattern of at most ${MAX_CRON_LENGTH} characters`);
  // The library takes other things for a pattern, too: nicknames, years, one instant without a zone (F6).
  const fieldCount = cron.trim().split(/\s+/).length;
  if (cron.trim().startsWith('@') || fieldCount < 5 || fieldCount > 6)
    throw invalid('cron', cron, `is no cron pattern: it must have five fields, or six with seconds in front, not ${fieldCount}`);
  if (timeZone !== undefined && typeof timeZone !== 'string') throw invalid('timeZone', timeZone, 'must be the IANA name of a zone');
  assertZone(timeZone ?? 'UTC');
  let trigger: Trigger;
  try {
    trigger = cronTrigger(cron, timeZone ?? 'UTC');
  } catch (error) {
    throw invalid('cron', cron, `is no cron pattern: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (trigger.next(0, 0) === null) throw invalid('cron', cron, 'never comes');
  return trigger;
}

function assertZone(timeZone: string): void {
  try {
    // Throws for what it does not know.
    new Intl.DateTimeFormat('en', { timeZone }).resolvedOptions();
  } catch {
    throw invalid('timeZone', timeZone, 'must be the IANA name of a zone that this machine knows, such as `Europe/Berlin`');
  }
}

function retryOf(retry: RetryOptions | undefined): JobPolicy['retry'] {
  const { maxAttempts = 1, intervalMs = 1_000, backoff = 'FIXED', maxIntervalMs = Number.POSITIVE_INFINITY } = retry ?? {};
  assertWhole('retry.maxAttempts', maxAttempts, 1, MAX_ATTEMPTS);
  assertDuration('retry.intervalMs', intervalMs, 0);
  oneOf('retry.backoff', backoff, ['FIXED', 'EXPONENTIAL']);
  if (maxIntervalMs !== Number.POSITIVE_INFINITY) assertDuration('retry.maxIntervalMs', maxIntervalMs, intervalMs);
  return { maxAttempts, intervalMs, backoff, maxIntervalMs };
}

function instant(field: string, value: unknown): number {
  const atMs = typeof value === 'number' ? value : typeof value === 'string' ? instantOfText(value) : instantOfDate(value);
  if (atMs !== null && Number.isInteger(atMs) && Math.abs(atMs) <= MAX_INSTANT_MS) return atMs;
  throw invalid(field, value, 'must be a `Date`, whole ms since 1970, or an ISO 8601 text with its zone, such as `2026-11-24T02:30:00Z`');
}

function assertWhole(field: string, value: unknown, min: number, max: number = Number.MAX_SAFE_INTEGER): void {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return;
  throw invalid(field, value, `must be a whole number ${max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`}`);
}

function oneOf<T extends string>(field: string, value: T, allowed: readonly T[]): T {
  if (allowed.includes(value)) return value;
  throw invalid(field, value, `must be one of ${allowed.map((name) => `'${name}'`).join(', ')}`);
}

function functionOf<T>(field: string, value: T | undefined): T | undefined {
  if (value === undefined || typeof value === 'function') return value;
  throw invalid(field, value, 'must be a function');
}

function invalid(field: string, value: unknown, limit: string): WbOptionError {
  return new WbOptionError('INVALID_OPTION', field, `\`${field}\` (${show(value)}) ${limit}`);
}

function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  return typeof value === 'object' && value !== null && !(instantOfDate(value) !== null) ? typeof value : String(value);
}
