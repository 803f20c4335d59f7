import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { optionErrorOf } from '../test-support/option-error.js';
import { WbOptionError } from './errors.js';
import { assertDuration, resolveTimings, type TimingOptions } from './timings.js';

const errorOf = (options: TimingOptions): WbOptionError => optionErrorOf(() => resolveTimings(options));

const FIELDS = ['ttlMs', 'heartbeatMs', 'callDeadlineMs', 'safetyMarginMs'] as const;

describe('the timings', () => {
  it('have defaults that follow from the TTL', () => {
    expect(resolveTimings({})).toMatchObject({ ttlMs: 10_000, heartbeatMs: 2_000, safetyMarginMs: 1_000 });
    expect(resolveTimings({ ttlMs: 6_000 })).toMatchObject({ ttlMs: 6_000, heartbeatMs: 1_200, safetyMarginMs: 600 });
    expect(resolveTimings({ ttlMs: 60_000 }).callDeadlineMs).toBe(5_000);
    expect(resolveTimings({ ttlMs: 86_400_000 }).callDeadlineMs).toBe(5_000);
  });

  it('are given back as they were given, frozen', () => {
    const options = { ttlMs: 6_000, heartbeatMs: 1_000, callDeadlineMs: 800, safetyMarginMs: 500 };
    const timings = resolveTimings(options);
    expect(timings).toEqual(options);
    expect(Object.isFrozen(timings)).toBe(true);
  });

  it('T2: satisfy heartbeatMs + 2 × callDeadlineMs + safetyMarginMs ≤ ttlMs whatever the TTL, the heartbeat and the margin', () => {
    let acceptedCount = 0;
    fc.assert(
      fc.property(
        fc.integer({ min: 20, max: 200_000 }),
        fc.double({ min: 0.001, max: 1 / 3, noNaN: true }),
        fc.double({ min: 0.001, max: 0.5, noNaN: true }),
        (ttlMs, beat, margin) => {
          const options = { ttlMs, heartbeatMs: Math.max(1, ttlMs * beat), safetyMarginMs: Math.max(1, ttlMs * margin) };
          const { heartbeatMs, callDeadlineMs, safetyMarginMs } = resolveTimings(options);
          // By default the third call has its time, too.
          const callCount = callDeadlineMs === 1 ? 2 : 3;
          expect(heartbeatMs + callCount * callDeadlineMs + safetyMarginMs).toBeLessThanOrEqual(ttlMs + 1e-6);
          expect(callDeadlineMs).toBeGreaterThanOrEqual(1);
          acceptedCount += 1;
        },
      ),
      {
        examples: [
          [20, 1 / 3, 0.5],
          [20, 0.1, 0.5],
        ],
      },
    );
    expect(acceptedCount).toBeGreaterThan(90);
  });

  it('T2: by default a third call in a row still has its whole deadline within trust, after two that were lost to theirs', () => {
    for (const ttlMs of [100, 1_000, 6_000, 10_000, 3_600_000]) {
      const { heartbeatMs, callDeadlineMs, safetyMarginMs } = resolveTimings({ ttlMs });
      expect(heartbeatMs + 3 * callDeadlineMs).toBeLessThanOrEqual(ttlMs - safetyMarginMs);
    }
  });

  it('T2: a deadline that is a millisecond too long is refused, with the worst case in the message; one that fits exactly is accepted', () => {
    const fits = { ttlMs: 10_000, heartbeatMs: 2_000, safetyMarginMs: 1_000, callDeadlineMs: 3_500 };
    expect(resolveTimings(fits)).toEqual(fits);
    const error = errorOf({ ...fits, callDeadlineMs: 3_501 });
    expect(error.code).toBe('INVALID_OPTION');
    expect(error.field).toBe('callDeadlineMs');
    expect(error.message).toContain(
      '`callDeadlineMs` (3501) is too long: `heartbeatMs` (2000) + 2 × `callDeadlineMs` + `safetyMarginMs` (1000) = 10002 must be at most ' +
        '`ttlMs` (10000), so that two calls may be lost in a row and a third still be sent',
    );
  });

  it('T2: thirds and tenths that do not add up exactly in binary are no reason to refuse', () => {
    const ttlMs = 1_000;
    expect(() =>
      resolveTimings({ ttlMs, heartbeatMs: ttlMs / 3, safetyMarginMs: 0.1 * ttlMs, callDeadlineMs: (ttlMs - ttlMs / 3 - 0.1 * ttlMs) / 2 }),
    ).not.toThrow();
  });

  it('F12: a heartbeat of more than a third of the TTL is refused, and one of a third is not', () => {
    expect(resolveTimings({ ttlMs: 9_000, heartbeatMs: 3_000 }).heartbeatMs).toBe(3_000);
    expect(errorOf({ ttlMs: 9_000, heartbeatMs: 3_001 }).message).toBe(
      '`heartbeatMs` (3001) must be at most a third of `ttlMs` (9000): one that is late or lost would already end the session',
    );
    expect(errorOf({ ttlMs: 1_000, heartbeatMs: 10_000 }).field).toBe('heartbeatMs');
  });

  it('a margin that leaves no time for a call is refused by its own name', () => {
    expect(errorOf({ ttlMs: 100, heartbeatMs: 20, safetyMarginMs: 79 })).toMatchObject({ field: 'safetyMarginMs' });
    expect(errorOf({ ttlMs: 100, safetyMarginMs: 500 })).toMatchObject({ field: 'safetyMarginMs' });
    expect(resolveTimings({ ttlMs: 100, heartbeatMs: 20, safetyMarginMs: 78 }).callDeadlineMs).toBe(1);
  });

  it.each(
    FIELDS.flatMap((field) =>
      [Number.NaN, 0, -1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map((value) => [field, value] as const),
    ),
  )('F12: `%s` of %s is refused, and the message names both', (field, value) => {
    const error = errorOf({ [field]: value });
    expect(error).toMatchObject({ code: 'INVALID_OPTION', field, name: 'WbOptionError' });
    expect(error.message).toContain(`\`${field}\` (${value}) must be a finite number of milliseconds from `);
  });

  it.each(FIELDS.flatMap((field) => ['1000', true, {}, [1_000], 1_000n].map((value) => [field, value] as const)))(
    'F12: `%s` that is no number is refused: %s',
    (field, value) => {
      expect(() => resolveTimings({ [field]: value })).toThrow(WbOptionError);
    },
  );

  it('a string is shown in quotes', () => {
    expect(errorOf({ ttlMs: '6000' as unknown as number }).message).toContain('`ttlMs` ("6000")');
  });

  it('the TTL is a whole number from 10 ms to a day', () => {
    expect(resolveTimings({ ttlMs: 10 }).ttlMs).toBe(10);
    expect(errorOf({ ttlMs: 9 }).message).toContain('from 10 to 86400000');
    expect(errorOf({ ttlMs: 86_400_001 }).message).toContain('from 10 to 86400000');
    expect(errorOf({ ttlMs: 1_000.5 }).message).toBe('`ttlMs` (1000.5) must be a whole number of milliseconds');
  });
});

describe('assertDuration', () => {
  it('accepts what is in its range, both ends included, and no string that looks like it', () => {
    expect(() => assertDuration('pauseMs', 0, 0)).not.toThrow();
    expect(() => assertDuration('pauseMs', 5, 5, 5)).not.toThrow();
    expect(() => assertDuration('pauseMs', 0.5, 0)).not.toThrow();
    expect(() => assertDuration('pauseMs', 4, 5, 6)).toThrow('`pauseMs` (4) must be a finite number of milliseconds from 5 to 6');
    expect(() => assertDuration('pauseMs', -1, 0)).toThrow('`pauseMs` (-1) must be a finite number of milliseconds of at least 0');
    expect(() => assertDuration('pauseMs', '5', 0)).toThrow('`pauseMs` ("5")');
    expect(() => assertDuration('pauseMs', undefined, 0)).toThrow('`pauseMs` (undefined)');
  });
});
