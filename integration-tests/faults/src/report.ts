import type { FaultRunResult } from './fault-run.js';

/** A run for people: what was injected, what came of it, what was broken. */
export function formatReport(result: FaultRunResult): string {
  const { target, seed, faults, takeoverCount, leaderships, violations, writtenCount, staleRefusedCount } = result;
  const kinds = new Map<string, number>();
  for (const { kind } of faults) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  const lines = [
    `${target}, seed ${seed}, ${((result.endedAtMs - result.startedAtMs) / 1_000).toFixed(0)} s`,
    `  faults          ${faults.length}: ${[...kinds]
      .toSorted(([, a], [, b]) => b - a)
      .map(([kind, count]) => `${count} ${kind}`)
      .join(', ')}`,
    `  leaderships     ${leaderships.length}, in ${result.groups.length} groups`,
    `  without leader  ${quantiles(result.leaderlessMs)}`,
    `  recovery        ${quantiles(result.recoveryMs)}`,
    `  fenced writes   ${writtenCount} acknowledged, all in the database; ${staleRefusedCount} late ones refused by the fence`,
    ...violations.slice(0, 20).map(({ rule, message }) => `  VIOLATION ${rule}: ${message}`),
    `${faults.length} faults, ${takeoverCount} takeovers, ${violations.length} violations`,
  ];
  return lines.join('\n');
}

function quantiles(valuesMs: readonly number[]): string {
  if (valuesMs.length === 0) return 'none';
  const sorted = valuesMs.toSorted((a, b) => a - b);
  const at = (share: number): string => `${sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!.toFixed(0)} ms`;
  return `p50 ${at(0.5)}, p99 ${at(0.99)}, max ${at(1)}`;
}
