import type { JobRecord } from '@wb/schedule';
import type { JobBegin } from './job-begins.js';
import { JOB_EVERY_MS, kindOf } from './job-kind.js';
import type { JobRunRow } from './target.js';

/** What is known of one job when everybody has stopped. */
export interface JobFacts {
  readonly job: string;
  /** As the store has it; `null`: it has none. */
  readonly record: JobRecord | null;
  readonly begins: readonly JobBegin[];
  /** The rows of the job in the table `job_run`. */
  readonly rows: readonly JobRunRow[];
  /** The wall clock when the members were told to stop. */
  readonly stoppedAtMs: number;
  /** How far a job may be behind then, in ms. */
  readonly limitMs: number;
}

/** What became of the occurrences of a run. */
export interface JobVerdict {
  readonly occurrenceCount: number;
  /** Occurrences that are there more than once, and times that are. */
  readonly twice: readonly string[];
  /** Occurrences that nobody ran and no record tells of, times that were neither run nor counted as skipped, and jobs that do not go on. */
  readonly lost: readonly string[];
}

/** Every occurrence of every job is in the database as its job wants it, and every time up to the end is accounted for by its record. */
export function checkJobs(jobs: readonly JobFacts[]): JobVerdict {
  const verdicts = jobs.map(checkJob);
  return {
    occurrenceCount: jobs.reduce((sum, { rows }) => sum + new Set(rows.map(({ occurrence }) => occurrence)).size, 0),
    twice: verdicts.flatMap(({ twice }) => twice),
    lost: verdicts.flatMap(({ lost }) => lost),
  };
}

function checkJob(facts: JobFacts): { readonly twice: string[]; readonly lost: string[] } {
  const { job, record, begins, rows } = facts;
  const twice = doubles(job, rows);
  const lost: string[] = [];
  if (record === null) return { twice, lost: [`${job}: it has no record`] };
  const { runCount, failedCount, skippedCount, count, anchorAtMs, nextAtMs, running, endReason } = record;
  const written = new Set(rows.map(({ occurrence }) => occurrence));
  const missing = Array.from({ length: runCount }, (_, at) => at + 1).filter((occurrence) => !written.has(occurrence));
  // What was let go is told of by its outcome: and what was done may have been called interrupted.
  const mayMiss = kindOf(job) === 'once' ? failedCount : 0;
  if (missing.length > mayMiss) {
    const which = missing.slice(0, 5).join(', ');
    lost.push(
      `${job}: ${missing.length} occurrences are not there (${which}${missing.length > 5 ? ', …' : ''}), of which its record knows ${mayMiss}`,
    );
  }
  const last = Math.max(0, ...written, ...begins.map(({ occurrence }) => occurrence));
  if (last > runCount) twice.push(`${job}: occurrence ${last} was begun, and its record knows ${runCount}`);
  if (running !== null) lost.push(`${job}: occurrence ${running.occurrence} is called running, and nobody is left`);
  if (endReason !== null || nextAtMs === null) {
    lost.push(`${job}: it is over (${endReason})`);
    return { twice, lost };
  }
  const timeCount = (nextAtMs - anchorAtMs) / JOB_EVERY_MS;
  if (timeCount !== count + skippedCount)
    lost.push(`${job}: of ${timeCount} times ${count} were run and ${skippedCount} counted as skipped`);
  const behindMs = facts.stoppedAtMs - nextAtMs;
  if (behindMs > facts.limitMs) lost.push(`${job}: it was ${behindMs} ms behind at the end, and nothing was broken`);
  return { twice, lost };
}

function doubles(job: string, rows: readonly JobRunRow[]): string[] {
  const twice: string[] = [];
  const terms = new Map<number, number>();
  const times = new Map<number, number>();
  for (const { occurrence, scheduledAtMs, term } of rows) {
    const other = terms.get(occurrence);
    if (other !== undefined) twice.push(`${job}: occurrence ${occurrence} was run in term ${other} and in term ${term}`);
    else if (times.has(scheduledAtMs))
      twice.push(`${job}: occurrences ${times.get(scheduledAtMs)} and ${occurrence} are for the same time`);
    terms.set(occurrence, term);
    times.set(scheduledAtMs, occurrence);
  }
  return twice;
}
