import type { HistoryRecord, ProcessHistory } from './history.js';
import { checkLiveness, type Gap, type LivenessLimits } from './leaderless.js';
import type { TrustLimits } from './trust-check.js';
import type { Violation } from './verdict.js';
import { kindOf } from './job-kind.js';

/** A run of a job, as the member saw it begin. */
export type JobBegin = HistoryRecord & { readonly kind: 'job' };

/** All begins of runs, by job, in the order of time. */
export function beginsOf(histories: readonly ProcessHistory[]): ReadonlyMap<string, readonly JobBegin[]> {
  const byJob = new Map<string, JobBegin[]>();
  for (const { records } of histories) {
    for (const record of records) {
      if (record.kind !== 'job') continue;
      const ofJob = byJob.get(record.job);
      if (ofJob) ofJob.push(record);
      else byJob.set(record.job, [record]);
    }
  }
  for (const ofJob of byJob.values()) ofJob.sort((a, b) => a.atMs - b.atMs);
  return byJob;
}

/**
 * Whether everything was begun as it may be: each attempt once, unless an interruption lies between and the job wants that; each time for one occurrence; and under a lease that was held (T10), none when a later term had begun (T4).
 */
export function checkBegins(begins: ReadonlyMap<string, readonly JobBegin[]>): Violation[] {
  const violations: Violation[] = [];
  for (const [job, ofJob] of begins) {
    const seen = new Set<string>();
    const occurrences = new Map<number, number>();
    let lastTerm = 0;
    for (const { atMs, occurrence, attempt, isRerun, term, scheduledAtMs, isHeld } of ofJob) {
      const report = (rule: string, what: string): void => {
        violations.push({ rule, atMs, message: `${job}: occurrence ${occurrence} ${what}` });
      };
      const isAgain = kindOf(job) === 'once' ? seen.has(`${occurrence}`) : !isRerun && seen.has(`${occurrence}/${attempt}`);
      if (isAgain) report('once', `was begun again, in term ${term}`);
      const other = occurrences.get(scheduledAtMs);
      if (other !== undefined && other !== occurrence) report('once', `is for the time of occurrence ${other}, in term ${term}`);
      if (isHeld && term < lastTerm) report('T4', `was begun in term ${term} when term ${lastTerm} had begun`);
      seen.add(`${occurrence}`).add(`${occurrence}/${attempt}`);
      occurrences.set(scheduledAtMs, occurrence);
      if (isHeld) lastTerm = Math.max(lastTerm, term);
    }
  }
  return violations;
}

/** What is known of the jobs of a run. */
export interface JobLimits {
  readonly names: readonly string[];
  /** How long nothing of a job may begin while nothing is broken, in ms. */
  readonly limitMs: number;
}

/** {@link checkBegins}, and T9: each job goes on. */
export function checkRuns(
  histories: readonly ProcessHistory[],
  { names, limitMs }: JobLimits,
  limits: LivenessLimits & TrustLimits,
): Violation[] {
  if (names.length === 0) return [];
  const begins = beginsOf(histories);
  // Two may trust for a while when the database's clock was moved (T2).
  const isExcused = (atMs: number): boolean =>
    limits.faults.some(({ movesClock, fromMs, untilMs }) => movesClock && fromMs <= atMs && atMs <= untilMs + 2 * limits.ttlMs);
  const late: Violation[] = [];
  const gaps = names.flatMap((job) => gapsBetween(job, begins.get(job) ?? [], limits.startedAtMs, limits.endedAtMs));
  checkLiveness(
    gaps.filter(({ fromMs, untilMs }) => untilMs - fromMs > limitMs),
    { ...limits, limitMs },
    late,
  );
  return [
    ...checkBegins(begins).filter(({ rule, atMs }) => rule !== 'T4' || !isExcused(atMs)),
    ...late.map((each) => ({ ...each, message: each.message.replace('had no leader', 'was not begun') })),
  ];
}

/** The times in which a job was not begun, from `startedAtMs` to `endedAtMs`. */
export function gapsBetween(job: string, begins: readonly JobBegin[], startedAtMs: number, endedAtMs: number): Gap[] {
  const instants = [startedAtMs, ...begins.map(({ atMs }) => atMs).filter((atMs) => atMs > startedAtMs && atMs < endedAtMs), endedAtMs];
  return instants.slice(1).map((untilMs, at) => ({ group: job, fromMs: instants[at]!, untilMs, after: null }));
}
