import type { JobStatus } from '@wb/schedule';
import { describe, expect, it } from 'vitest';
import { jobsTable } from './jobs.js';

/** Noon of 2 January 2030. */
const AT = 1893585600000;

const JOB: JobStatus = {
  groupId: 'orders',
  jobId: 'send',
  term: 1,
  endReason: null,
  isPaused: false,
  isRestarting: false,
  trigger: 'every 1000 ms',
  nextAtMs: AT,
  count: 0,
  runCount: 0,
  failedCount: 0,
  skippedCount: 0,
  requestedAtMs: null,
  answer: null,
  running: null,
  history: [],
};
const OCCURRENCE = {
  occurrence: 7,
  scheduledAtMs: AT,
  cause: 'schedule',
  startedAtMs: AT + 5,
  busySinceMs: AT + 5,
  attempt: 1,
  term: 1,
  memberId: 'ada',
} as const;
const RUNNING = { ...OCCURRENCE, rerunCount: 0, retryAtMs: null, interruptedAtMs: null, checkpoint: null };

/** One row, its cells apart. */
function row(changes: Partial<JobStatus>): string[] {
  return jobsTable([{ ...JOB, ...changes }])
    .split('\n')[1]!
    .split(/ {2,}/);
}

describe('jobs as a table', () => {
  it('shows the next and the last run', () => {
    expect(row({})).toEqual(['send', 'waiting', 'every 1000 ms', '2030-01-02 12:00:00.000', '–', '–', '–', '0', '0', '0']);
    const history = [{ ...OCCURRENCE, endedAtMs: AT + 9, outcome: 'timed-out', error: 'x' }] as const;
    expect(row({ history, runCount: 7, failedCount: 2, skippedCount: 3 }).slice(3)).toEqual([
      '2030-01-02 12:00:00.000',
      '2030-01-02 12:00:00.005',
      'timed-out',
      'ada',
      '7',
      '2',
      '3',
    ]);
  });

  it.each([
    [{ running: RUNNING }, 'running'],
    [{ running: { ...RUNNING, retryAtMs: AT } }, 'retrying'],
    [{ running: { ...RUNNING, interruptedAtMs: AT } }, 'interrupted'],
    [{ isPaused: true, requestedAtMs: AT }, 'paused, run asked for'],
    [{ endReason: 'max-count', nextAtMs: null }, 'over: max-count'],
    [{ endReason: 'error', isRestarting: true }, 'over: error, restart asked for'],
  ] as const)('says its state: %j', (changes, state) => {
    expect(row(changes)[1]).toBe(state);
  });
});
