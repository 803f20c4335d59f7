import type { JobWrite } from '@wb/core';
import type { JobContext, JobRecord, RunningOccurrence } from '../src/index.js';
import { timesBetween, type JobSpec } from './job-spec.js';
import { Violation } from './violation.js';

/** How an attempt's work settled. */
export type Settled = 'returned' | 'threw';

/** What is known of one job. */
interface AuditedJob {
  readonly spec: JobSpec;
  /** The scheduled times that were claimed. */
  readonly claimedAtMs: Set<number>;
  /** How many scheduled occurrences were claimed. */
  count: number;
  readonly outcomes: Map<number, string>;
  /** Attempts that have begun, and how they settled; by occurrence, attempt and term. */
  readonly begun: Map<string, Settled | 'runs'>;
  readonly firstBegun: Set<string>;
  /** The last checkpoint that was acknowledged, and the last that was sent, by occurrence. */
  readonly acknowledged: Map<number, number>;
  readonly sent: Map<number, number>;
  /** Terms in which somebody stopped what ran of it, at once. */
  readonly stoppedIn: Set<number>;
  last: JobRecord | null;
}

/**
 * An account of its own of what may become of jobs, kept from what is written and what begins: it shares no code with the decisions that it
 * watches, so that a fault in them cannot fool it.
 */
export class Audit {
  readonly #jobs = new Map<string, AuditedJob>();

  constructor(specs: readonly JobSpec[]) {
    for (const spec of specs) {
      this.#jobs.set(keyOf(spec), {
        spec,
        claimedAtMs: new Set(),
        count: 0,
        outcomes: new Map(),
        begun: new Map(),
        firstBegun: new Set(),
        acknowledged: new Map(),
        sent: new Map(),
        stoppedIn: new Set(),
        last: null,
      });
    }
  }

  recordOf(spec: JobSpec): JobRecord | null {
    return this.#job(spec).last;
  }

  /** A write that was applied. `stands`: whether its lease was the last one, or it had none. */
  wrote(write: JobWrite, stands: boolean): void {
    const { groupId, jobId, lease } = write;
    if (!stands) throw new Violation('O4', `${jobId} was written in term ${lease?.term}, which had ended`);
    const job = this.#job({ groupId, jobId });
    const before = job.last;
    const after = JSON.parse(write.record) as JobRecord;
    const isRestarted = before !== null && before.isRestarting && !after.isRestarting;
    // The schedule begins anew, as an operator wants it; the numbers of its occurrences go on.
    if (isRestarted) {
      job.claimedAtMs.clear();
      job.count = 0;
    } else if (before !== null) {
      this.#forward(job, before, after);
      if (lease !== null) this.#obeyed(job, before, after);
      this.#times(job, before, after);
    }
    this.#claimed(job, before, after);
    if (before?.running != null) this.#ended(job, before.running, after, lease?.term ?? null, before.answer);
    job.last = after;
  }

  #forward({ spec: { jobId } }: AuditedJob, before: JobRecord, after: JobRecord): void {
    for (const name of ['cursorAtMs', 'count', 'runCount', 'failedCount', 'skippedCount'] as const) {
      if (after[name] < before[name]) throw new Violation('forward', `\`${name}\` of ${jobId} went from ${before[name]} to ${after[name]}`);
    }
    if (before.endReason !== null && after.endReason === null) throw new Violation('forward', `${jobId} was over, and goes on`);
  }

  #obeyed({ spec: { jobId } }: AuditedJob, before: JobRecord, after: JobRecord): void {
    const isRequestLost = before.requestedAtMs !== null && after.requestedAtMs === null && after.running?.cause !== 'manual';
    if (isRequestLost || (before.isPaused && !after.isPaused))
      throw new Violation('operator', `what an operator wants of ${jobId} was forgotten`);
  }

  /** Every time up to the cursor is claimed, or counted as skipped. */
  #times({ spec }: AuditedJob, before: JobRecord, after: JobRecord): void {
    const timeCount = timesBetween(spec, after.anchorAtMs, before.cursorAtMs, after.cursorAtMs).length;
    const claimed = after.count - before.count;
    const skipped = after.skippedCount - before.skippedCount;
    if (claimed + skipped !== timeCount) {
      const message = `${timeCount} times of ${spec.jobId} were decided, of which ${claimed} were claimed and ${skipped} counted as skipped`;
      throw new Violation('account', message);
    }
  }

  #claimed(job: AuditedJob, before: JobRecord | null, { running, runCount, count }: JobRecord): void {
    const { jobId, options } = job.spec;
    if (running === null || running.occurrence === before?.running?.occurrence) return;
    const { occurrence, scheduledAtMs, cause } = running;
    if (occurrence !== (before?.runCount ?? 0) + 1 || occurrence !== runCount)
      throw new Violation('once', `occurrence ${occurrence} of ${jobId} was claimed after ${before?.runCount ?? 0}`);
    if (before !== null && before.endReason !== null)
      throw new Violation('forward', `occurrence ${occurrence} of ${jobId} was claimed after its end`);
    if (cause === 'manual') return;
    if (job.claimedAtMs.has(scheduledAtMs)) throw new Violation('once', `the time ${scheduledAtMs} of ${jobId} was claimed twice`);
    job.claimedAtMs.add(scheduledAtMs);
    job.count += 1;
    if (count !== job.count)
      throw new Violation('account', `${job.count} occurrences of ${jobId} were claimed, and its record says ${count}`);
    if (count > (options.maxCount ?? Number.POSITIVE_INFINITY))
      throw new Violation('max-count', `occurrence ${count} of ${options.maxCount} of ${jobId} was claimed`);
  }

  /** What became of the occurrence that ran, or waited. */
  #ended(job: AuditedJob, was: RunningOccurrence, after: JobRecord, term: number | null, answer: JobRecord['answer']): void {
    const { jobId, options } = job.spec;
    const { occurrence, attempt } = was;
    const is = after.running;
    if (is !== null && is.occurrence === occurrence) {
      if (is.attempt > (options.retry?.maxAttempts ?? 1))
        throw new Violation('once', `attempt ${is.attempt} of occurrence ${occurrence} of ${jobId} is one too many`);
      if (is.rerunCount === was.rerunCount) {
        if (is.interruptedAtMs !== null && was.interruptedAtMs === null) this.#interrupted(job, was, term);
        return;
      }
      this.#interrupted(job, was, term);
      const isWanted = answer === 'rerun' || (options.onInterrupted === 'rerun' && is.rerunCount <= options.maxReruns!);
      if (!isWanted) throw new Violation('once', `occurrence ${occurrence} of ${jobId} is begun again, which nobody wants`);
      return;
    }
    const end = after.history.find((each) => each.occurrence === occurrence);
    if (end === undefined) throw new Violation('account', `occurrence ${occurrence} of ${jobId} has ended without an outcome`);
    const { outcome } = end;
    if (job.outcomes.has(occurrence)) throw new Violation('account', `occurrence ${occurrence} of ${jobId} has two outcomes`);
    job.outcomes.set(occurrence, outcome);
    const settled = job.begun.get(attemptKey(occurrence, attempt, was.term));
    if (outcome === 'interrupted') this.#interrupted(job, was, term);
    else if (
      outcome === 'succeeded' ? settled !== 'returned' : outcome === 'failed' ? settled !== 'threw' : options.timeoutMs === undefined
    )
      throw new Violation(
        'account',
        `occurrence ${occurrence} of ${jobId} is written down as ${outcome}, and its work has ${settled ?? 'not begun'}`,
      );
  }

  #interrupted(job: AuditedJob, { occurrence, term: ranIn, interruptedAtMs }: RunningOccurrence, term: number | null): void {
    if (interruptedAtMs !== null || term !== ranIn || job.stoppedIn.has(ranIn)) return;
    throw new Violation(
      'interrupted',
      `occurrence ${occurrence} of ${job.spec.jobId} is called interrupted in term ${ranIn}, in which it runs`,
    );
  }

  /** Somebody stops what runs of a job in this term, at once. */
  stopped(spec: JobSpec, term: number): void {
    this.#job(spec).stoppedIn.add(term);
  }

  /** An attempt begins. `leads`: whether its lease is the group's last, and its session lives, by the store. */
  began({ groupId, jobId, occurrence, attempt, isRerun, term, lastCheckpoint }: JobContext, leads: boolean): void {
    const job = this.#job({ groupId, jobId });
    const what = `attempt ${attempt} of occurrence ${occurrence} of ${jobId}`;
    if (!leads) throw new Violation('claim', `${what} begins in term ${term}, which does not stand`);
    const running = job.last?.running ?? null;
    if (running === null || running.occurrence !== occurrence || running.attempt !== attempt || running.term !== term)
      throw new Violation('claim', `${what} begins without a claim`);
    const key = attemptKey(occurrence, attempt, term);
    const isAgain = job.begun.has(key) && !(isRerun && job.stoppedIn.has(term));
    if (isAgain || (!isRerun && job.firstBegun.has(`${occurrence}/${attempt}`))) throw new Violation('once', `${what} begins twice`);
    job.begun.set(key, 'runs');
    job.firstBegun.add(`${occurrence}/${attempt}`);
    const noted = typeof lastCheckpoint === 'number' ? lastCheckpoint : 0;
    const least = job.acknowledged.get(occurrence) ?? 0;
    if (noted < least || noted > (job.sent.get(occurrence) ?? 0))
      throw new Violation('checkpoint', `${what} finds checkpoint ${noted}; ${least} was acknowledged`);
  }

  settled({ groupId, jobId, occurrence, attempt, term }: JobContext, how: Settled): void {
    this.#job({ groupId, jobId }).begun.set(attemptKey(occurrence, attempt, term), how);
  }

  checkpoint({ groupId, jobId, occurrence }: JobContext, value: number, state: 'sent' | 'acknowledged'): void {
    const job = this.#job({ groupId, jobId });
    job[state].set(occurrence, Math.max(value, job[state].get(occurrence) ?? 0));
  }

  /** After an orderly end: each occurrence but the one that waits has its outcome. */
  finished(spec: JobSpec): void {
    const { last, outcomes } = this.#job(spec);
    for (let occurrence = 1; occurrence <= (last?.runCount ?? 0); occurrence += 1) {
      if (!outcomes.has(occurrence) && last?.running?.occurrence !== occurrence)
        throw new Violation('account', `occurrence ${occurrence} of ${spec.jobId} has no outcome`);
    }
  }

  #job({ groupId, jobId }: Pick<JobSpec, 'groupId' | 'jobId'>): AuditedJob {
    return this.#jobs.get(keyOf({ groupId, jobId }))!;
  }
}

function keyOf({ groupId, jobId }: Pick<JobSpec, 'groupId' | 'jobId'>): string {
  return `${groupId}/${jobId}`;
}

function attemptKey(occurrence: number, attempt: number, term: number): string {
  return `${occurrence}/${attempt}/${term}`;
}
