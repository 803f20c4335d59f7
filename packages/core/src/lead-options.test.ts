import { describe, expect, it } from 'vitest';
import { optionErrorOf } from '../test-support/option-error.js';
import type { LeadOptions } from './coordinator-types.js';
import { leadOptionsResolver, resolveLeadOptions } from './lead-options.js';
import { resolveTimings } from './timings.js';

const TIMINGS = resolveTimings({ ttlMs: 10_000, heartbeatMs: 2_000 });

describe('the options of lead', () => {
  it('have documented defaults', () => {
    expect(resolveLeadOptions({}, TIMINGS)).toEqual({
      onEnd: 'stop',
      onError: 'contend',
      onOverrun: 'report',
      backOff: { minMs: 100, maxMs: 30_000, factor: 2 },
      settleDeadlineMs: 10_000,
      watchdogMs: null,
      resignPauseMs: 4_000,
      busyPauseMs: 250,
    });
  });

  it('are kept as they are given', () => {
    const options = {
      onEnd: 'contend',
      onError: 'rethrow',
      onOverrun: 'exit',
      backOff: { minMs: 0, maxMs: 0, factor: 1 },
      settleDeadlineMs: 0,
      watchdogMs: 1,
    } as const;
    expect(resolveLeadOptions(options, TIMINGS)).toMatchObject(options);
  });

  it('a back-off whose start is beyond the default end ends there', () => {
    expect(resolveLeadOptions({ backOff: { minMs: 60_000 } }, TIMINGS).backOff).toEqual({ minMs: 60_000, maxMs: 60_000, factor: 2 });
  });

  it('a locked row is tried again within a heartbeat, and at least four times a second', () => {
    expect(resolveLeadOptions({}, resolveTimings({ ttlMs: 500, heartbeatMs: 100 })).busyPauseMs).toBe(100);
  });

  const no = (value: unknown): never => value as never;
  it.each<[LeadOptions, string, string]>([
    [{ backOff: { minMs: -1 } }, 'backOff.minMs', '(-1) must be a finite number of milliseconds of at least 0'],
    [{ backOff: { minMs: Number.NaN } }, 'backOff.minMs', '(NaN)'],
    [{ backOff: { minMs: no('100') } }, 'backOff.minMs', '("100")'],
    [{ backOff: { minMs: 200, maxMs: 100 } }, 'backOff.maxMs', '(100) must be a finite number of milliseconds of at least 200'],
    [{ backOff: { maxMs: Number.POSITIVE_INFINITY } }, 'backOff.maxMs', '(Infinity)'],
    [{ backOff: { factor: 0.5 } }, 'backOff.factor', '(0.5) must be a finite number of at least 1'],
    [{ backOff: { factor: Number.NaN } }, 'backOff.factor', '(NaN)'],
    [{ backOff: { factor: Number.POSITIVE_INFINITY } }, 'backOff.factor', '(Infinity)'],
    [{ backOff: { factor: no('2') } }, 'backOff.factor', '(2)'],
    [{ settleDeadlineMs: -1 }, 'settleDeadlineMs', '(-1)'],
    [{ settleDeadlineMs: Number.POSITIVE_INFINITY }, 'settleDeadlineMs', '(Infinity)'],
    [{ watchdogMs: 0 }, 'watchdogMs', '(0) must be a finite number of milliseconds of at least 1'],
    [{ watchdogMs: no(null) }, 'watchdogMs', '(null)'],
    [{ onEnd: no('again') }, 'onEnd', `("again") must be 'stop' or 'contend'`],
    [{ onError: no('stop') }, 'onError', `("stop") must be 'contend' or 'rethrow'`],
    [{ onOverrun: no(true) }, 'onOverrun', `(true) must be 'report' or 'exit'`],
  ])('%j is refused', (options, field, message) => {
    const error = optionErrorOf(() => resolveLeadOptions(options, TIMINGS));
    expect(error).toMatchObject({ code: 'INVALID_OPTION', field });
    expect(error.message).toContain(`\`${field}\` ${message}`);
  });
});

describe('leadOptionsResolver', () => {
  it('keeps one object for all groups with the same options', () => {
    const resolve = leadOptionsResolver(TIMINGS);
    const first = resolve({});
    expect(resolve({ onEnd: 'stop', backOff: {} })).toBe(first);
    expect(first).toEqual(resolveLeadOptions({}, TIMINGS));
  });

  it.each<LeadOptions>([
    { onEnd: 'contend' },
    { onError: 'rethrow' },
    { onOverrun: 'exit' },
    { backOff: { minMs: 101 } },
    { backOff: { maxMs: 29_000 } },
    { backOff: { factor: 3 } },
    { settleDeadlineMs: 1 },
    { watchdogMs: 1 },
  ])('and another for %j', (options) => {
    const resolve = leadOptionsResolver(TIMINGS);
    const first = resolve({});
    expect(resolve(options)).toEqual(resolveLeadOptions(options, TIMINGS));
    expect(resolve(options)).not.toEqual(first);
  });
});
