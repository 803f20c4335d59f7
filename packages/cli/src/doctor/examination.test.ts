import { resolveTimings, StoreError, systemClock, type CallOptions, type LeaseStore, type StoreFinding } from '@wb/core';
import { memoryLeaseStore } from '@wb/core/memory';
import { describe, expect, it } from 'vitest';
import { machineClock } from '../clock.js';
import { examine, milliseconds, type ExaminationOptions } from './examination.js';
import { problemsOf, reportJson, reportText } from './report.js';

const FINE: StoreFinding = { topic: 'version', state: 'ok', summary: 'Memory 1' };
const OPTIONS: ExaminationOptions = { clock: machineClock, forMs: 50, callDeadlineMs: 5_000, timings: null, surviveMs: 0 };

/** A store in memory that diagnoses itself as it is told. */
function store(changes: Partial<LeaseStore> = {}): LeaseStore {
  return {
    ...memoryLeaseStore(),
    readClock: () => Promise.resolve(systemClock.now().wallMs),
    diagnose: () => Promise.resolve([FINE]),
    ...changes,
  };
}

describe('an examination', () => {
  it('measures, recommends, leaves no session behind, and finds nothing wrong with what is well', async () => {
    const examined = store();
    const result = await examine(examined, OPTIONS);
    expect(problemsOf(result)).toBe(0);
    expect(result.findings.map(({ topic }) => topic)).toEqual(['version', 'hints', 'clock', 'round-trip']);
    expect(result.roundTrip!.count).toBeGreaterThan(1);
    expect(result.heartbeat!.count).toBe(result.roundTrip!.count - 1);
    expect(result.recommendation!.timings.ttlMs).toBe(5_000);
    expect(await examined.members()).toEqual([]);
    expect(reportText(result).split('\n').at(-1)).toBe('no problem was found');
  });

  it('reports what a database refuses, instead of failing', async () => {
    const refusal = new StoreError('STORE_REFUSED', '`diagnose` failed: db1 is read-only', { outcome: 'none' });
    const result = await examine(store({ diagnose: () => Promise.reject(refusal) }), OPTIONS);
    expect(result.findings).toMatchObject([{ topic: 'access', state: 'problem', summary: '`diagnose` failed: db1 is read-only' }]);
    expect(problemsOf(result)).toBe(1);
  });

  it('fails if there is no database', async () => {
    const fault = new StoreError('STORE_UNAVAILABLE', 'nobody listens', { outcome: 'none' });
    await expect(examine(store({ diagnose: () => Promise.reject(fault) }), OPTIONS)).rejects.toBe(fault);
  });

  it('fails in time if the database never answers', async () => {
    const diagnose = (options?: CallOptions): Promise<never> =>
      new Promise((_resolve, reject) => {
        options!.signal!.addEventListener('abort', () => reject(new StoreError('STORE_TIMEOUT', 'aborted', { outcome: 'unknown' })));
      });
    await expect(examine(store({ diagnose }), { ...OPTIONS, callDeadlineMs: 10 })).rejects.toMatchObject({ code: 'STORE_TIMEOUT' });
  });

  it('leaves no session behind when the clock can no longer be read', async () => {
    let count = 0;
    const fault = new StoreError('STORE_UNAVAILABLE', 'gone', { outcome: 'none' });
    const examined = store({ readClock: () => (++count > 2 ? Promise.reject(fault) : Promise.resolve(0)) });
    await expect(examine(examined, OPTIONS)).rejects.toBe(fault);
    expect(await examined.members()).toEqual([]);
  });

  it('says why a heartbeat cannot be measured, and counts one cause once', async () => {
    const openSession = (): Promise<never> => Promise.reject(new StoreError('STORE_NOT_MIGRATED', 'no tables', { outcome: 'none' }));
    const alone = await examine(store({ openSession }), OPTIONS);
    expect(alone.findings.at(-1)).toEqual({ topic: 'heartbeat', state: 'problem', summary: 'cannot be measured: no tables' });
    const known: StoreFinding = { topic: 'migration', state: 'problem', summary: 'no tables', advice: 'run `wb migrate`\nand again' };
    const explained = await examine(store({ openSession, diagnose: () => Promise.resolve([known]) }), OPTIONS);
    expect(problemsOf(explained)).toBe(1);
    expect(reportText(explained)).toContain(
      'migration   PROBLEM  no tables\n                     → run `wb migrate`\n                     → and again\n',
    );
    expect(reportText(explained)).toMatch(/\nthere is 1 problem$/);
  });

  it('judges the timings that are to be used', async () => {
    const slow = store();
    const heartbeat = slow.heartbeat.bind(slow);
    slow.heartbeat = async (request, options) => {
      await new Promise<void>((resolve) => {
        systemClock.schedule(30, resolve);
      });
      return await heartbeat(request, options);
    };
    const judged = async (ttlMs: number): Promise<StoreFinding | undefined> =>
      (await examine(slow, { ...OPTIONS, timings: resolveTimings({ ttlMs }) })).findings.find(({ topic }) => topic === 'timings');
    expect(await judged(100)).toMatchObject({
      state: 'problem',
      summary: expect.stringContaining('with ttlMs 100 and heartbeatMs 20') as string,
    });
    expect(await judged(60_000)).toMatchObject({ state: 'ok' });
  });

  it('is JSON for programs, with no more digits than were measured', async () => {
    const report: unknown = JSON.parse(reportJson(await examine(store(), OPTIONS), 'memory'));
    expect(report).toMatchObject({
      store: 'memory',
      problemCount: 0,
      findings: [FINE, {}, {}, {}],
      recommendation: { timings: { ttlMs: 5_000 } },
    });
    expect(JSON.stringify(report)).not.toMatch(/\.\d{4}/);
  });

  it('says times with the digits that count', () => {
    expect([0.004, 0.42, 3.14, 140.2].map(milliseconds)).toEqual(['0.00 ms', '0.42 ms', '3.1 ms', '140 ms']);
  });
});
