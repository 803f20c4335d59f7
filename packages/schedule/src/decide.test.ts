import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide, type Decision } from './decide.js';
import { firstRecord } from './fresh-record.js';
import { resolveJobOptions, type JobOptions, type JobPolicy } from './job-options.js';
import type { JobRecord, RunningOccurrence } from './job-record.js';
import { retryDelayMs, settle } from './settle.js';

const WHO = { term: 3, memberId: 'me' };
const NOW = 1_000_000;

function policyOf(options: Partial<JobOptions> = {}): JobPolicy {
  return resolveJobOptions({ job: 'send', ...(options.cron === undefined && options.at === undefined && { every: 1_000 }), ...options })
    .policy;
}

function recordOf(policy: JobPolicy, changes: Partial<JobRecord> = {}): JobRecord {
  return { ...firstRecord(policy, NOW), ...changes };
}

const RUNNING: RunningOccurrence = {
  occurrence: 4,
  scheduledAtMs: NOW,
  cause: 'schedule',
  startedAtMs: NOW,
  busySinceMs: NOW,
  attempt: 1,
  rerunCount: 0,
  term: 2,
  memberId: 'other',
  retryAtMs: null,
  interruptedAtMs: null,
  checkpoint: null,
};

describe('deciding about a job', () => {
  it('writes a record for a job that nobody has seen: so that whoever leads next knows since when', () => {
    const policy = policyOf({ cron: '0 * * * *' });
    const decision = decide(null, policy, NOW, WHO);
    expect(decision).toMatchObject({ kind: 'write', record: { cursorAtMs: NOW - 1, nextAtMs: 3_600_000, runCount: 0, running: null } });
  });

  it('changes nothing of what it is given', () => {
    const policy = policyOf();
    const record = Object.freeze(recordOf(policy, { history: Object.freeze([]) as [] }));
    expect(decide(record, policy, NOW + 5_000, WHO).kind).toBe('run');
    expect(record.running).toBeNull();
  });

  it('waits for the next time, and no longer', () => {
    const policy = policyOf();
    const record = recordOf(policy, { cursorAtMs: NOW });
    expect(decide(record, policy, NOW + 1, WHO)).toEqual({ kind: 'wait', untilMs: NOW + 1_000 });
    expect(decide(record, policy, NOW + 1_000, WHO)).toMatchObject({
      kind: 'run',
      record: { running: { scheduledAtMs: NOW + 1_000, ...WHO } },
    });
  });

  it('a wall clock that was set back makes nothing run again, and it is told when that is much', () => {
    const policy = policyOf();
    const record = recordOf(policy, { cursorAtMs: NOW + 50_000 });
    expect(decide(record, policy, NOW, WHO)).toEqual({ kind: 'wait', untilMs: NOW + 51_000, decidedToMs: NOW + 50_000 });
    expect(decide(record, policy, NOW + 45_000, WHO)).toEqual({ kind: 'wait', untilMs: NOW + 51_000 });
  });

  it('a retry is waited for no longer than its pause, also by a clock that is an hour behind', () => {
    const policy = policyOf({ retry: { maxAttempts: 3, intervalMs: 2_000 } });
    const record = recordOf(policy, { running: { ...RUNNING, retryAtMs: NOW + 2_000 } });
    expect(decide(record, policy, NOW, WHO)).toEqual({ kind: 'wait', untilMs: NOW + 2_000 });
    expect(decide(record, policy, NOW - 3_600_000, WHO)).toMatchObject({ kind: 'run', record: { running: { attempt: 2 } } });
  });

  it('begins anew when somebody has asked for it: what is over, and what a clock that was ahead has used up', () => {
    const policy = policyOf({ maxCount: 7 });
    const year = 31_536_000_000;
    const ended = recordOf(policy, { isRestarting: true, endReason: 'max-count', count: 7, runCount: 9, cursorAtMs: NOW + year });
    const decision = decide(ended, policy, NOW + 500, WHO);
    expect(decision).toMatchObject({
      kind: 'write',
      record: { isRestarting: false, endReason: null, count: 0, runCount: 9, cursorAtMs: NOW + 499, nextAtMs: NOW + 500 },
      notes: [{ kind: 'restarted' }],
    });
    const once = policyOf({ at: NOW - 1 });
    const done = recordOf(once, { isRestarting: true, endReason: 'no-more-times', cursorAtMs: NOW - 1 });
    expect(decide(done, once, NOW, WHO)).toMatchObject({ kind: 'write', record: { endReason: null, nextAtMs: NOW - 1 } });
    // What is not decided yet is dropped, and said to be; what runs is not touched.
    const pending = recordOf(policy, { isRestarting: true });
    expect(decide(pending, policy, NOW + 2_500, WHO)).toMatchObject({
      record: { skippedCount: 3 },
      notes: [{ kind: 'skipped', reason: 'restarted', count: 3 }, { kind: 'restarted' }],
    });
    expect(decide({ ...pending, running: RUNNING }, policy, NOW, WHO)).toMatchObject({ notes: [{ kind: 'interrupted' }, {}] });
  });

  it('a changed trigger counts from now on, and makes up for nothing', () => {
    const policy = policyOf({ every: 500 });
    const record = recordOf(policyOf(), { cursorAtMs: NOW, runCount: 7, count: 7 });
    const decision = decide(record, policy, NOW + 60_000, WHO);
    expect(decision).toMatchObject({
      kind: 'write',
      record: { trigger: 'every 500 ms', cursorAtMs: NOW + 59_999, runCount: 7, skippedCount: 1 },
      notes: [
        { kind: 'retriggered', from: 'every 1000 ms', to: 'every 500 ms' },
        { kind: 'skipped', reason: 'changed', fromMs: record.nextAtMs, toMs: NOW + 60_000, count: 1, isExact: false },
      ],
    });
    expect(decide({ ...record, nextAtMs: NOW + 1_000 }, policy, NOW + 999, WHO)).toMatchObject({
      record: { skippedCount: 0 },
      notes: [{ kind: 'retriggered' }],
    });
  });

  it('an end is for good, whatever the options say later', () => {
    const record = recordOf(policyOf(), { endReason: 'max-count' });
    expect(decide(record, policyOf({ maxCount: 100, every: 1 }), NOW + 60_000, WHO)).toEqual({ kind: 'over', reason: 'max-count' });
  });

  it('paused: neither times, which are counted as they come, nor retries, nor reruns; but what somebody asks for', () => {
    const policy = policyOf({ onInterrupted: 'rerun' });
    const wait = { kind: 'wait', untilMs: NOW + 1_000 };
    const paused = recordOf(policy, { isPaused: true, cursorAtMs: NOW });
    expect(decide(paused, policy, NOW, WHO)).toEqual(wait);
    expect(decide(paused, policy, NOW + 2_500, WHO)).toMatchObject({
      kind: 'write',
      record: { cursorAtMs: NOW + 2_000, skippedCount: 2, running: null },
      notes: [{ kind: 'skipped', reason: 'paused', fromMs: NOW + 1_000, toMs: NOW + 2_000, count: 2 }],
    });
    // There is nothing to skip of a job whose times are used up.
    expect(decide({ ...paused, count: 3 }, policyOf({ maxCount: 3 }), NOW + 2_500, WHO)).toEqual({ kind: 'wait', untilMs: null });
    expect(decide({ ...paused, running: RUNNING }, policy, NOW, WHO)).toEqual(wait);
    expect(decide({ ...paused, running: { ...RUNNING, retryAtMs: NOW } }, policy, NOW + 1, WHO)).toEqual(wait);
    expect(decide({ ...paused, requestedAtMs: NOW }, policy, NOW, WHO)).toMatchObject({
      kind: 'run',
      record: { requestedAtMs: null, count: 0, running: { cause: 'manual' } },
    });
  });

  it('an answer has no limit, a policy has', () => {
    const policy = policyOf({ onInterrupted: 'rerun', maxReruns: 2 });
    const record = recordOf(policy, { running: { ...RUNNING, rerunCount: 2 } });
    expect(decide(record, policy, NOW, WHO)).toMatchObject({
      kind: 'write',
      record: { running: null, history: [{ outcome: 'interrupted' }] },
    });
    expect(decide({ ...record, answer: 'rerun' }, policy, NOW, WHO)).toMatchObject({
      kind: 'run',
      record: { answer: null, running: { rerunCount: 3 } },
    });
  });
});

describe('taking in the end of an attempt', () => {
  const mine: RunningOccurrence = { ...RUNNING, ...WHO };

  it('is nothing to a record that is about another attempt', () => {
    const policy = policyOf();
    for (const running of [null, { ...mine, occurrence: 5 }, { ...mine, attempt: 2 }, { ...mine, term: 4 }, { ...mine, rerunCount: 1 }]) {
      expect(settle(recordOf(policy, { running }), mine, { kind: 'succeeded' }, policy, NOW)).toBeNull();
    }
    expect(settle(null, mine, { kind: 'succeeded' }, policy, NOW)).toBeNull();
  });

  it('what hangs is not tried again', () => {
    const policy = policyOf({ retry: { maxAttempts: 5 } });
    const settlement = settle(recordOf(policy, { running: mine }), mine, { kind: 'hung', error: new Error('x') }, policy, NOW);
    expect(settlement?.record).toMatchObject({ running: null, history: [{ outcome: 'hung' }] });
  });

  it('keeps the last ones alone, and messages of a bounded size', () => {
    const policy = policyOf();
    let record = recordOf(policy);
    for (let occurrence = 1; occurrence <= 50; occurrence += 1) {
      const running = { ...mine, occurrence };
      const error = new Error('\u0000'.repeat(10_000));
      record = settle({ ...record, running }, running, { kind: 'failed', error }, policy, NOW + occurrence)!.record;
    }
    expect(record.history.map(({ occurrence }) => occurrence)).toEqual([50, 49, 48, 47, 46, 45, 44, 43]);
    expect(JSON.stringify(record).length).toBeLessThan(8_000);
  });
});

describe('IGNORE with older times that still have to run', () => {
  /** Runs what is due from `nowMs` on, each run for `takes`, until there is nothing. */
  function drain(policy: JobPolicy, record: JobRecord, nowMs: number, takes: number): { ran: number[]; record: JobRecord; endMs: number } {
    const ran: number[] = [];
    for (let round = 0; ; round += 1) {
      if (round === 100) throw new Error('there is no end of it');
      const decision = decide(record, policy, nowMs, WHO);
      if (decision.kind === 'wait' || decision.kind === 'over') return { ran, record, endMs: nowMs };
      record = decision.record;
      if (decision.kind === 'write') continue;
      ran.push(decision.record.running.scheduledAtMs - NOW);
      nowMs += takes;
      record = settle(record, decision.record.running, { kind: 'succeeded' }, policy, nowMs)!.record;
    }
  }

  it('all of them run, one after the other; what comes meanwhile is ignored', () => {
    const policy = policyOf({ onMisfire: 'run-all', misfireLimit: 3, onOverlap: 'IGNORE', misfireGraceMs: 100 });
    // Due: 0, 1,000 and 2,000; each takes 700, so that 3,000 and 4,000 come meanwhile.
    const { ran, record, endMs } = drain(policy, recordOf(policy), NOW + 2_500, 700);
    expect(ran).toEqual([0, 1_000, 2_000]);
    expect(endMs).toBe(NOW + 4_600);
    expect(record).toMatchObject({ skippedCount: 2, cursorAtMs: NOW + 4_000, nextAtMs: NOW + 5_000 });
  });

  it('the same after a run by hand', () => {
    const policy = policyOf({ onOverlap: 'LOG_AND_IGNORE' });
    const { ran, record } = drain(policy, recordOf(policy, { requestedAtMs: NOW - 7 }), NOW, 1_500);
    expect(ran).toEqual([-7, 0]);
    expect(record).toMatchObject({ skippedCount: 3, cursorAtMs: NOW + 3_000 });
  });
});

describe('retryDelayMs', () => {
  it('stays finite and within its limit', () => {
    const retry = { maxAttempts: 1_000, intervalMs: 10, maxIntervalMs: Number.POSITIVE_INFINITY } as const;
    expect([1, 2, 3, 999].map((attempt) => retryDelayMs({ ...retry, backoff: 'FIXED' }, attempt))).toEqual([10, 10, 10, 10]);
    expect([1, 2, 3].map((attempt) => retryDelayMs({ ...retry, backoff: 'EXPONENTIAL' }, attempt))).toEqual([10, 20, 40]);
    expect(Number.isSafeInteger(Math.floor(retryDelayMs({ ...retry, backoff: 'EXPONENTIAL' }, 999)))).toBe(true);
    expect(retryDelayMs({ ...retry, backoff: 'EXPONENTIAL', maxIntervalMs: 25 }, 3)).toBe(25);
  });
});

describe('over any course of events', () => {
  /** Lives a job's life: time goes on by steps, runs take a while, leaders die in the middle of them. */
  const life = fc.record({
    every: fc.integer({ min: 5, max: 40 }),
    maxCount: fc.integer({ min: 1, max: 30 }),
    onMisfire: fc.constantFrom('run-once' as const, 'skip' as const, 'run-all' as const),
    onOverlap: fc.constantFrom('WAIT' as const, 'IGNORE' as const),
    onInterrupted: fc.constantFrom('rerun' as const, 'skip' as const),
    misfireLimit: fc.integer({ min: 1, max: 4 }),
    steps: fc.array(
      fc.record({
        gap: fc.integer({ min: 0, max: 200 }),
        takes: fc.integer({ min: 0, max: 90 }),
        dies: fc.boolean(),
        fails: fc.boolean(),
        /** Somebody pauses it, or has it go on. */
        turns: fc.integer({ min: 0, max: 4 }).map((number) => number === 0),
      }),
      { minLength: 1, maxLength: 60 },
    ),
  });

  it('no scheduled time is begun twice, each is run or counted as skipped, and no more than `maxCount` are run', () => {
    fc.assert(
      fc.property(life, ({ steps, ...options }) => {
        const policy = policyOf({ ...options, misfireGraceMs: 10, startAt: NOW });
        let nowMs = NOW;
        let record: JobRecord = firstRecord(policy, NOW);
        let term = 1;
        const begun = new Map<number, number>();
        let skippedCount = 0;
        const causes = new Set<string>();
        for (const { gap, takes, dies, fails, turns } of steps) {
          if (turns) record = { ...record, isPaused: !record.isPaused };
          nowMs += gap;
          // Until there is nothing to do at this moment.
          for (;;) {
            const decision: Decision = decide(record, policy, nowMs, { term, memberId: `m${term}` });
            if (decision.kind === 'wait' || decision.kind === 'over') break;
            record = decision.record;
            for (const note of decision.notes) if (note.kind === 'skipped') skippedCount += note.count;
            if (decision.kind === 'run') causes.add(decision.record.running.cause);
            if (decision.kind === 'write') continue;
            const { running } = decision.record;
            if (running.rerunCount === 0) begun.set(running.scheduledAtMs, (begun.get(running.scheduledAtMs) ?? 0) + 1);
            nowMs += takes;
            if (dies) {
              term += 1;
              break;
            }
            const end = fails ? ({ kind: 'failed', error: new Error('x') } as const) : ({ kind: 'succeeded' } as const);
            const settlement = settle(record, running, end, policy, nowMs)!;
            record = settlement.record;
            for (const note of settlement.notes) if (note.kind === 'skipped') skippedCount += note.count;
          }
        }
        expect([...begun.values()].every((count) => count === 1)).toBe(true);
        expect(record.count).toBe(begun.size);
        expect(begun.size).toBeLessThanOrEqual(options.maxCount);
        expect(record.skippedCount).toBe(skippedCount);
        // A time that came while it ran is ignored, also when older ones come first.
        expect(options.onOverlap === 'IGNORE' && causes.has('overlap')).toBe(false);
        // Everything up to the cursor is accounted for.
        const upTo = Math.floor((record.cursorAtMs - NOW) / options.every) + 1;
        expect(begun.size + skippedCount).toBe(Math.max(0, upTo));
      }),
      { numRuns: 1_000 },
    );
  });
});
