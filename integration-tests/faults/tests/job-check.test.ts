import type { JobRecord } from '@wb/schedule';
import { describe, expect, it } from 'vitest';
import { beginsOf, checkBegins, checkRuns, gapsBetween, type JobBegin } from '../src/job-begins.js';
import { checkJobs, type JobFacts, type JobVerdict } from '../src/job-check.js';
import { JOB_EVERY_MS, jobNames } from '../src/job-kind.js';
import type { JobRunRow } from '../src/target.js';

const at = (occurrence: number): number => 1_000 + (occurrence - 1) * JOB_EVERY_MS;
const row = (occurrence: number, scheduledAtMs = at(occurrence), term = 1): JobRunRow => ({
  job: 'all-1',
  occurrence,
  scheduledAtMs,
  term,
});
const begin = (atMs: number, occurrence: number, more: Partial<JobBegin> = {}): JobBegin => ({
  kind: 'job',
  job: 'all-1',
  atMs,
  occurrence,
  scheduledAtMs: at(occurrence),
  term: 1,
  attempt: 1,
  isRerun: false,
  isHeld: true,
  ...more,
});
const RECORD: JobRecord = {
  format: 1,
  endReason: null,
  isPaused: false,
  isRestarting: false,
  trigger: '',
  anchorAtMs: at(1),
  cursorAtMs: at(3),
  nextAtMs: at(4),
  count: 3,
  runCount: 3,
  failedCount: 0,
  skippedCount: 0,
  requestedAtMs: null,
  requestId: null,
  answer: null,
  running: null,
  history: [],
};

function verdict(rows: readonly JobRunRow[], record: Partial<JobRecord> | null = {}, more: Partial<JobFacts> = {}): JobVerdict {
  const facts = { job: 'all-1', rows, begins: [], stoppedAtMs: at(4), limitMs: 500, ...more };
  return checkJobs([{ ...facts, record: record === null ? null : { ...RECORD, ...record } }]);
}

const begun = (begins: readonly JobBegin[]): string[] =>
  checkBegins(beginsOf([{ process: 'p', records: begins }])).map(({ rule, message }) => `${rule}: ${message}`);

describe('the checker of jobs, from the database', () => {
  const ALL = [row(2), row(1), row(3)];

  it('finds nothing where each occurrence is there once, for a time of its own', () => {
    expect(verdict(ALL)).toEqual({ occurrenceCount: 3, twice: [], lost: [] });
  });

  it('refuses an occurrence that is there twice, a time that is, and one that no record knows', () => {
    expect(verdict([...ALL, row(2, at(2), 2)])).toMatchObject({
      occurrenceCount: 3,
      twice: ['all-1: occurrence 2 was run in term 1 and in term 2'],
    });
    expect(verdict([row(1), row(2), row(3, at(2))]).twice).toEqual(['all-1: occurrences 2 and 3 are for the same time']);
    expect(verdict([...ALL, row(4)]).twice).toEqual(['all-1: occurrence 4 was begun, and its record knows 3']);
    expect(verdict(ALL, {}, { begins: [begin(1, 4)] }).twice).toHaveLength(1);
  });

  it('refuses an occurrence that is not there, also the last one', () => {
    expect(verdict([row(1), row(3)]).lost).toEqual(['all-1: 1 occurrences are not there (2), of which its record knows 0']);
    expect(verdict([row(1), row(2)]).lost).toHaveLength(1);
    // What failed is made up for by one kind of job, and let go by the other.
    expect(verdict([row(1), row(3)], { failedCount: 1 }).lost).toHaveLength(1);
    const once = { job: 'once-2', begins: [] };
    expect(verdict([row(1), row(3)], { failedCount: 1 }, once).lost).toEqual([]);
    expect(verdict([row(1)], { failedCount: 1 }, once).lost).toHaveLength(1);
  });

  it('refuses times that were neither run nor counted', () => {
    expect(verdict(ALL, { nextAtMs: at(7), cursorAtMs: at(6) }).lost).toEqual(['all-1: of 6 times 3 were run and 0 counted as skipped']);
    expect(verdict(ALL, { nextAtMs: at(7), cursorAtMs: at(6), skippedCount: 3 }).lost).toEqual([]);
    // More than there were is as wrong.
    expect(verdict(ALL, { skippedCount: 1 }).lost).toHaveLength(1);
  });

  it('refuses a job that does not go on, or has left something behind', () => {
    expect(verdict([], null).lost).toEqual(['all-1: it has no record']);
    expect(verdict(ALL, { endReason: 'error', nextAtMs: null }).lost).toEqual(['all-1: it is over (error)']);
    expect(verdict(ALL, {}, { stoppedAtMs: at(4) + 501 }).lost).toEqual(['all-1: it was 501 ms behind at the end, and nothing was broken']);
    const running = { occurrence: 3 } as JobRecord['running'];
    expect(verdict(ALL, { running }).lost).toEqual(['all-1: occurrence 3 is called running, and nobody is left']);
  });
});

describe('the checker of jobs, from what members saw begin', () => {
  it('finds nothing in begins, retries and reruns as they may be', () => {
    expect(begun([begin(1, 1), begin(2, 2), begin(3, 2, { attempt: 2 }), begin(4, 2, { attempt: 2, isRerun: true, term: 2 })])).toEqual([]);
  });

  it('refuses an attempt that is begun twice, and a time that is', () => {
    expect(begun([begin(1, 1), begin(2, 1, { term: 2 })])).toEqual(['once: all-1: occurrence 1 was begun again, in term 2']);
    expect(begun([begin(1, 1), begin(2, 2, { scheduledAtMs: at(1) })])).toEqual([
      'once: all-1: occurrence 2 is for the time of occurrence 1, in term 1',
    ]);
  });

  it('refuses any second begin of a job that lets go', () => {
    const job = 'once-2';
    expect(begun([begin(1, 1, { job }), begin(2, 1, { job, attempt: 2 })])).toHaveLength(1);
    expect(begun([begin(1, 1, { job }), begin(2, 1, { job, isRerun: true, term: 2 })])).toHaveLength(1);
  });

  it('T4: refuses a begin under a lease that was held when a later term had begun', () => {
    expect(begun([begin(1, 1, { term: 2 }), begin(2, 2)])).toEqual(['T4: all-1: occurrence 2 was begun in term 1 when term 2 had begun']);
    // One that comes late, and knows it, is the fence's to refuse.
    expect(begun([begin(1, 1, { term: 2 }), begin(2, 2, { isHeld: false })])).toEqual([]);
  });

  it('knows how long nothing was begun, from the first to the last instant', () => {
    const gaps = gapsBetween('all-1', [begin(5, 1), begin(20, 2), begin(99, 3)], 10, 50);
    expect(gaps.map(({ fromMs, untilMs }) => [fromMs, untilMs])).toEqual([
      [10, 20],
      [20, 50],
    ]);
  });
});

describe('T9: a job goes on', () => {
  const FAULT = { kind: 'killed', member: null, fromMs: 1_000, untilMs: 2_000, settledAtMs: 2_000, movesClock: false };
  const limits = { limitMs: 1, members: ['a'], faults: [FAULT], stalls: [], startedAtMs: 0, endedAtMs: 5_000, ttlMs: 500, trustMs: 450 };
  const runs = (...atMs: number[]): string[] =>
    checkRuns(
      [{ process: 'p', records: atMs.map((each, index) => begin(each, index + 1)) }],
      { names: ['all-1'], limitMs: 1_500 },
      limits,
    ).map(({ message }) => message);

  it('when nothing is broken; else it has until then and a limit', () => {
    expect(runs(500, 3_400, 4_900)).toEqual([]);
    expect(runs(500, 3_600, 4_900)).toEqual(['all-1 was not begun for 1600 ms in which nothing was broken']);
    expect(runs()).toHaveLength(1);
  });

  it('T4: and two may trust for a while when the clock of the database was moved', () => {
    const histories = [{ process: 'p', records: [begin(1_000, 1, { term: 2 }), begin(1_500, 2), begin(4_000, 3, { term: 1 })] }];
    const jobs = { names: ['all-1'], limitMs: 10_000 };
    const moved = { ...FAULT, movesClock: true };
    expect(checkRuns(histories, jobs, limits)).toHaveLength(2);
    expect(checkRuns(histories, jobs, { ...limits, faults: [moved] })).toHaveLength(1);
  });
});

describe('the jobs of a run', () => {
  it('are of both kinds', () => {
    expect(jobNames(3)).toEqual(['all-1', 'once-2', 'all-3']);
  });
});
