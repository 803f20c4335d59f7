import { WbOptionError } from '@wb/core';
import { describe, expect, it } from 'vitest';
import { dateOf } from './clock.js';
import { resolveJobOptions } from './job-options.js';

/** What is wrong with the options: the field, and the message. */
function fault(options: Record<string, unknown>): [string, string] {
  try {
    resolveJobOptions({ job: 'send', ...options });
  } catch (error) {
    if (error instanceof WbOptionError) return [error.field, error.message];
    throw error;
  }
  throw new Error('nothing is wrong with it');
}

describe('the options of a job', () => {
  it.each([
    [{ job: '' }, 'job', 'it must have 1 to 255'],
    [{}, 'every', 'exactly one of `every`, `cron` and `at` must be given, not none'],
    [{ every: 1_000, cron: '* * * * *' }, 'every', 'not every and cron'],
    [{ every: 0 }, 'every', '`every` (0) must be a whole number from 1 to 31536000000'],
    [{ every: 1.5 }, 'every', '`every` (1.5) must be a whole number'],
    [{ cron: 'at noon' }, 'cron', '`cron` ("at noon") is no cron pattern'],
    [{ cron: '61 * * * *' }, 'cron', '`cron` ("61 * * * *") is no cron pattern'],
    // The pattern library takes these: instants without a zone, nicknames, years.
    [{ cron: '2026-11-24T02:30:00' }, 'cron', 'must have five fields, or six with seconds in front, not 1'],
    [{ cron: '@daily' }, 'cron', 'must have five fields'],
    [{ cron: '0 0 0 1 1 * 2030' }, 'cron', 'not 7'],
    [{ cron: '0 0 31 2 *' }, 'cron', '`cron` ("0 0 31 2 *") never comes'],
    [{ cron: '* '.repeat(200) }, 'cron', 'at most 200 characters'],
    [{ cron: '* * * * *', timeZone: 'Mars/Base' }, 'timeZone', '`timeZone` ("Mars/Base") must be the IANA name of a zone'],
    [{ every: 1_000, timeZone: 'UTC' }, 'timeZone', 'goes with `cron` only'],
    // F6: a time without a zone is another one on each machine.
    [{ at: '2026-11-24T02:30:00' }, 'at', '`at` ("2026-11-24T02:30:00") must be a `Date`'],
    [{ at: 'tomorrow' }, 'at', '`at` ("tomorrow") must be'],
    [{ at: Number.NaN }, 'at', '`at` (NaN) must be'],
    [{ at: dateOf(Number.NaN) }, 'at', '`at` (object) must be'],
    [{ at: 1, startAt: 2 }, 'at', '`at` (1) must not be before `startAt` (2): it would never come'],
    [{ at: 3, endAt: 2 }, 'at', '`at` (3) must not be after `endAt` (2)'],
    [{ every: 1_000, startAt: 2, endAt: 1 }, 'endAt', '`endAt` (1) must not be before `startAt` (2)'],
    [{ every: 1_000, maxCount: 0 }, 'maxCount', '`maxCount` (0) must be a whole number of at least 1'],
    [{ every: 1_000, onError: 'IGNORE' }, 'onError', '`onError` ("IGNORE") must be one of \'LOG_AND_TERMINATE\''],
    [{ every: 1_000, onOverlap: 'wait' }, 'onOverlap', "must be one of 'WAIT', 'IGNORE', 'LOG_AND_IGNORE'"],
    [{ every: 1_000, onMisfire: 'all' }, 'onMisfire', "must be one of 'run-once', 'skip', 'run-all'"],
    [{ every: 1_000, misfireLimit: 1_001 }, 'misfireLimit', '`misfireLimit` (1001) must be a whole number from 1 to 1000'],
    [{ every: 1_000, misfireGraceMs: -1 }, 'misfireGraceMs', '`misfireGraceMs` (-1)'],
    [{ every: 1_000, onInterrupted: 'retry' }, 'onInterrupted', "must be one of 'rerun', 'skip', 'ask'"],
    [{ every: 1_000, maxReruns: 0 }, 'maxReruns', '`maxReruns` (0)'],
    [{ every: 1_000, retry: { maxAttempts: 0 } }, 'retry.maxAttempts', '`retry.maxAttempts` (0) must be a whole number from 1 to 1000'],
    [{ every: 1_000, retry: { maxAttempts: 2, backoff: 'LINEAR' } }, 'retry.backoff', "must be one of 'FIXED', 'EXPONENTIAL'"],
    [{ every: 1_000, retry: { maxAttempts: 2, intervalMs: 50, maxIntervalMs: 10 } }, 'retry.maxIntervalMs', '`retry.maxIntervalMs` (10)'],
    [{ every: 1_000, timeoutMs: 0 }, 'timeoutMs', '`timeoutMs` (0)'],
    [{ every: 1_000, settleMs: -5 }, 'settleMs', '`settleMs` (-5)'],
    [{ every: 1_000, onEvent: 'log' }, 'onEvent', '`onEvent` ("log") must be a function'],
  ] as const)('%j is refused at the door', (options, field, message) => {
    const [wrongField, text] = fault(options);
    expect(wrongField).toBe(field);
    expect(text).toContain(message);
  });

  it('an instant is a Date, a number, or a text with its zone', () => {
    const atMs = 1_767_225_600_000;
    for (const at of [atMs, dateOf(atMs), '2026-01-01T00:00:00Z', '2026-01-01T00:00Z', '2026-01-01T01:00:00.000+01:00']) {
      expect(resolveJobOptions({ job: 'send', at }).policy.trigger.next(0, 0)).toBe(atMs);
    }
  });
});
