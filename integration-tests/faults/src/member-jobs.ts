import type { Coordinator } from '@wb/core';
import { createScheduler, type JobContext, type JobOptions, type Scheduler } from '@wb/schedule';
import type { HistoryWriter } from './history.js';
import { JOB_EVERY_MS, kindOf, type JobKind } from './job-kind.js';
import { nowMs } from './machine-time.js';
import type { MemberDatabase } from './target.js';

const POLICIES: Readonly<Record<JobKind, Omit<JobOptions, 'job'>>> = {
  all: {
    onMisfire: 'run-all',
    misfireLimit: 1_000,
    onOverlap: 'WAIT',
    onInterrupted: 'rerun',
    maxReruns: 1_000_000,
    onError: 'CONTINUE',
    retry: { maxAttempts: 1_000, intervalMs: 50, backoff: 'FIXED' },
  },
  once: { onMisfire: 'run-once', onOverlap: 'IGNORE', onInterrupted: 'skip', onError: 'CONTINUE' },
};

/** What jobs need of their member. */
export interface JobParts {
  readonly coordinator: Coordinator;
  readonly database: MemberDatabase;
  readonly history: HistoryWriter;
  readonly ttlMs: number;
  readonly maxHoldMs: number;
}

/** A job for each group. Each of its runs notes that it begins, in the member's history, where nothing is lost; then it writes to the database. */
export function startJobs(groups: readonly string[], { coordinator, database, history, ttlMs, maxHoldMs }: JobParts): Scheduler[] {
  const work = async (context: JobContext): Promise<void> => {
    const { jobId: job, occurrence, scheduledAt, term, attempt, isRerun, lease, fenced } = context;
    // Read before: a freeze in between makes no later begin of it.
    const atMs = nowMs();
    const isHeld = lease.isHeld();
    const scheduledAtMs = scheduledAt.getTime();
    history.write({ kind: 'job', atMs, job, occurrence, scheduledAtMs, term, attempt, isRerun, isHeld });
    const isOnce = kindOf(job) === 'once';
    await fenced(
      (transaction) => database.writeRun(transaction, { job, occurrence, scheduledAtMs, term }, isOnce ? 'always' : 'unless-there'),
      {
        maxHoldMs,
      },
    );
  };
  return groups.map((group) => {
    const scheduler = createScheduler(coordinator, {
      group,
      callDeadlineMs: ttlMs / 5,
      lead: { backOff: { minMs: ttlMs / 20, maxMs: ttlMs / 5 } },
    });
    scheduler.attach({ job: group, every: JOB_EVERY_MS, ...POLICIES[kindOf(group)] }, work);
    scheduler.start();
    return scheduler;
  });
}
