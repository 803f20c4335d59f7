import type { FaultRunResult } from './fault-run-result.js';
import type { JobVerdict } from './job-check.js';

/** How many violations a report names. */
const NAMED_VIOLATIONS = 20;

/** A run for people: what was injected, what came of it, what was broken. */
export function formatReport(result: FaultRunResult): string {
  const { title, target, seed, faults, leaderships, violations, writtenCount, staleRefusedCount, gaps, members, groups } = result;
  const kinds = [...new Set(faults.map(({ kind }) => kind))].map((kind) => ({
    kind,
    count: faults.filter((fault) => fault.kind === kind).length,
    gapsMs: gaps.filter(({ after }) => after === kind).map(({ fromMs, untilMs }) => untilMs - fromMs),
  }));
  const width = Math.max(...kinds.map(({ kind }) => kind.length), 20);
  const lines = [
    `${target}: ${title}, seed ${seed}, ${((result.endedAtMs - result.startedAtMs) / 1_000).toFixed(0)} s, ${members.length} members, ${groups.length} groups`,
    `  leaderships     ${leaderships.length}`,
    `  without leader  ${quantiles(gaps.map(({ fromMs, untilMs }) => untilMs - fromMs))}`,
    `  recovery        ${quantiles(result.recoveryMs)}`,
    `  while calm      no group was without a leader for longer than ${result.longestCalmGapMs.toFixed(0)} ms; T9 allows ${result.limitMs.toFixed(0)} ms`,
    `  fenced writes   ${writtenCount} acknowledged, ${result.failure !== null ? 'not looked for' : violations.some(({ rule }) => rule === 'lost') ? 'SOME LOST' : 'all in the database'}; ${staleRefusedCount} of leaders that had been succeeded, refused by the fence`,
    ...(result.clockOverlapCount === 0
      ? []
      : [
          `  clock moved     ${result.clockOverlapCount} times two trusted at once, as they may when the database's clock is moved; no write got through`,
        ]),
    ...(result.stallCount === 0 ? [] : [`  machine         stood still ${result.stallCount} times: T9 says nothing about these`]),
    `  ${'faults'.padEnd(width)}  count  without a leader after it`,
    ...kinds
      .toSorted((a, b) => b.count - a.count || a.kind.localeCompare(b.kind, 'en'))
      .map(({ kind, count, gapsMs }) => `  ${kind.padEnd(width)}  ${String(count).padStart(5)}  ${quantiles(gapsMs)}`),
    ...(result.missedKinds.length === 0 ? [] : [`  had no turn: ${result.missedKinds.join(', ')}`]),
    ...(result.failure === null ? [] : [`  FAILED, and so ended before its time, without a look at the database: ${result.failure}`]),
    ...violations
      .slice(0, NAMED_VIOLATIONS)
      .map(({ rule, message, atMs }) => `  VIOLATION of ${rule} after ${((atMs - result.startedAtMs) / 1_000).toFixed(1)} s: ${message}`),
    ...[...(result.jobs?.twice ?? []), ...(result.jobs?.lost ?? [])]
      .filter((what) => !violations.some(({ message }) => message === what))
      .slice(0, NAMED_VIOLATIONS)
      .map((what) => `  VIOLATION: ${what}`),
    ...(violations.length > NAMED_VIOLATIONS ? [`  and ${violations.length - NAMED_VIOLATIONS} more`] : []),
    `  ${summary([result])}`,
    ...(result.jobs === null ? [] : [`  ${jobSummary([result])}`]),
  ];
  return lines.join('\n');
}

/** The closing line of one run, or of several. */
export function summary(results: readonly FaultRunResult[]): string {
  const sum = (of: (result: FaultRunResult) => number): number => results.reduce((total, result) => total + of(result), 0);
  return `${sum(({ faults }) => faults.length)} faults, ${sum(({ takeoverCount }) => takeoverCount)} takeovers, ${sum(({ violations }) => violations.length)} violations`;
}

/** The closing line about jobs. */
export function jobSummary(results: readonly FaultRunResult[]): string {
  const sum = (of: (jobs: JobVerdict) => number): number => results.reduce((total, { jobs }) => total + (jobs === null ? 0 : of(jobs)), 0);
  const twice = new Set(
    results.flatMap(({ target, jobs, violations }) =>
      [...(jobs?.twice ?? []), ...violations.filter(({ rule }) => rule === 'once').map(({ message }) => message)].map(
        (what) => `${target} ${what}`,
      ),
    ),
  );
  return `${sum((jobs) => jobs.occurrenceCount)} occurrences, ${twice.size} twice, ${sum(({ lost }) => lost.length)} lost`;
}

/** Whether nothing was found in a run. */
export function isGood({ violations, jobs, failure }: FaultRunResult): boolean {
  return (
    failure === null &&
    violations.length === 0 &&
    (jobs === null || (jobs.occurrenceCount > 0 && jobs.twice.length + jobs.lost.length === 0))
  );
}

function quantiles(valuesMs: readonly number[]): string {
  if (valuesMs.length === 0) return '–';
  const sorted = valuesMs.toSorted((a, b) => a - b);
  const at = (share: number): string => `${sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!.toFixed(0)} ms`;
  return `${valuesMs.length} times: p50 ${at(0.5)}, p99 ${at(0.99)}, max ${at(1)}`;
}
