import type { LeaseStoreCapabilities } from '@wb/core';
import type { CaseResult } from './run-case.js';

/** What a run came to. Plain data: `JSON.stringify` and back loses nothing. */
export interface ConformanceReport {
  readonly target: string;
  readonly capabilities: LeaseStoreCapabilities;
  /** Give it to the next run to repeat this one's choices. */
  readonly seed: number;
  readonly durationMs: number;
  readonly passedCount: number;
  readonly failedCount: number;
  readonly skippedCount: number;
  readonly cases: readonly CaseResult[];
}

/** The report for people: a line for each case, then what failed and why, then the counts. */
export function formatReport(report: ConformanceReport): string {
  const width = Math.max(...report.cases.map(({ id }) => id.length));
  const lines = report.cases.map(({ id, title, outcome, durationMs, skipReason }) => {
    const mark = { passed: 'ok  ', failed: 'FAIL', skipped: 'skip' }[outcome];
    const note = outcome === 'skipped' ? skipReason : `${durationMs.toFixed(0)} ms`;
    return `${mark}  ${id.padEnd(width)}  ${title}  (${note})`;
  });
  const failures = report.cases.flatMap(({ id, rule, title, failure }) =>
    failure === undefined
      ? []
      : [
          '',
          `${id} breaks rule ${rule}: ${title}`,
          ...failure.message.split('\n').map((line) => `    ${line}`),
          `    again: --case ${id} --seed ${report.seed}`,
        ],
  );
  const counts = `${report.passedCount} passed, ${report.failedCount} failed, ${report.skippedCount} skipped`;
  return [
    `${report.target}, seed ${report.seed}`,
    ...lines,
    ...failures,
    '',
    `${report.target}: conformance in ${(report.durationMs / 1_000).toFixed(1)} s`,
    counts,
  ].join('\n');
}
