import { table } from '../output.js';
import { milliseconds, type Examination } from './examination.js';

/** What was found, for people. */
export function reportText(examination: Examination): string {
  const rows = examination.findings.flatMap(({ topic, state, summary, advice }) => [
    [topic, state === 'problem' ? 'PROBLEM' : state, summary],
    ...(advice === undefined ? [] : advice.split('\n').map((line) => ['', '', `→ ${line}`])),
  ]);
  const problemCount = problemsOf(examination);
  const verdict =
    problemCount === 0 ? 'no problem was found' : problemCount === 1 ? 'there is 1 problem' : `there are ${problemCount} problems`;
  return [table(['CHECK', 'STATE', 'FOUND'], rows), ...recommendationLines(examination), '', verdict].join('\n');
}

/** How many problems there are. */
export function problemsOf({ findings }: Examination): number {
  return findings.filter(({ state }) => state === 'problem').length;
}

function recommendationLines({ recommendation, heartbeat }: Examination): readonly string[] {
  if (recommendation === null || heartbeat === null) return [];
  const { timings, meaning } = recommendation;
  const { ttlMs, heartbeatMs, callDeadlineMs } = timings;
  const s = (ms: number): string => `${Number((ms / 1_000).toFixed(1))} s`;
  return [
    '',
    `recommended: --ttl ${ttlMs / 1_000} --heartbeat ${heartbeatMs / 1_000} (ttlMs: ${ttlMs}, heartbeatMs: ${heartbeatMs})`,
    `  a slow heartbeat took ${milliseconds(heartbeat.p99Ms)}, and may take ${callDeadlineMs} ms before it is sent again`,
    `  a leader that dies, hangs or is cut off: another one leads after ${s(meaning.takeoverMs)} at most; one that ends in an orderly way is followed sooner`,
    `  the database may be away for ${s(meaning.survivedBlipMs)}; for ${s(meaning.survivedByRunMs)} with the default --kill-after of \`wb run\`, which tells COMMAND before the trust in its lease ends`,
    `  each process writes ${Number(meaning.writesPerSecond.toFixed(2))} rows a second, however many groups it leads or waits for`,
  ];
}

/** What was found, for programs. */
export function reportJson(examination: Examination, store: string): string {
  const { findings, roundTrip, heartbeat, clock, recommendation } = examination;
  const problemCount = problemsOf(examination);
  return JSON.stringify({ store, problemCount, findings, roundTrip, heartbeat, clock, recommendation }, rounded, 2);
}

/** More digits would say more than was measured. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' ? Number(value.toFixed(3)) : value;
}
