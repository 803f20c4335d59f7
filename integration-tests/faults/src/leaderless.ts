import type { InjectedFault } from './injected-fault.js';
import type { Leadership } from './leaderships.js';
import type { Violation } from './verdict.js';

/** A time in which a group had no working leader. */
export interface Gap {
  readonly group: string;
  /** From the last unit of work of the last leader. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** What had come before it last: the kind of the fault to blame; `null`: none. */
  readonly after: string | null;
}

/** Conditions of T9. */
export interface LivenessLimits {
  /** TTL + one heartbeat, and what the machine takes to run the programs. */
  readonly limitMs: number;
  readonly members: readonly string[];
  readonly faults: readonly InjectedFault[];
  /** When the machine itself stood still, and so everybody. */
  readonly stalls: readonly { readonly fromMs: number; readonly untilMs: number }[];
  /** From when on every group was to be led. */
  readonly startedAtMs: number;
  /** When the run ended: what is still without a leader then has been so until then. */
  readonly endedAtMs: number;
}

/** The gaps before, between and after the leaderships of one group, which are in order. */
export function gapsOf(group: string, leaderships: readonly Leadership[], { faults, startedAtMs, endedAtMs }: LivenessLimits): Gap[] {
  const gaps: Gap[] = [];
  let workedUntilMs = startedAtMs;
  for (const { beganAtMs, workedUntilMs: until, endedAtMs: settledAtMs } of leaderships) {
    if (beganAtMs > workedUntilMs) gaps.push(gap(group, workedUntilMs, beganAtMs, faults));
    workedUntilMs = Math.max(workedUntilMs, settledAtMs ?? until);
  }
  // Of a work that goes on nobody can tell yet when it will have its next unit. It has a leader as long as that is trusted.
  const last = leaderships.at(-1);
  if (last?.endedAtMs === null) workedUntilMs = Math.max(workedUntilMs, Math.min(last.trustedUntilMs, endedAtMs));
  if (endedAtMs > workedUntilMs) gaps.push(gap(group, workedUntilMs, endedAtMs, faults));
  return gaps;
}

function gap(group: string, fromMs: number, untilMs: number, faults: readonly InjectedFault[]): Gap {
  const before = faults.filter((fault) => fault.fromMs <= untilMs && fault.untilMs >= fromMs);
  const last = before.toSorted((a, b) => Math.abs(a.fromMs - fromMs) - Math.abs(b.fromMs - fromMs))[0];
  return { group, fromMs, untilMs, after: last?.kind ?? null };
}

/**
 * T9: once faults have stopped, and somebody lives who could lead, a group has a working leader within the limit. So no gap may contain that long a stretch in which no fault begins or is
 * at work, and in which one and the same member suffers from none.
 */
export function checkLiveness(
  gaps: readonly Gap[],
  limits: LivenessLimits,
  violations: Violation[],
): { readonly longestCalmGapMs: number } {
  const quiet = quietStretches(limits);
  let longestCalmGapMs = 0;
  for (const { group, fromMs, untilMs } of gaps) {
    const longestMs = quiet.reduce(
      (most, stretch) => Math.max(most, Math.min(stretch.untilMs, untilMs) - Math.max(stretch.fromMs, fromMs)),
      0,
    );
    longestCalmGapMs = Math.max(longestCalmGapMs, longestMs);
    if (longestMs > limits.limitMs)
      violations.push({
        rule: 'T9',
        atMs: untilMs,
        message: `${group} had no leader for ${longestMs.toFixed(0)} ms in which nothing was broken`,
      });
  }
  return { longestCalmGapMs };
}

/** The stretches of time in which the faults that there are keep nobody from leading who could. */
function quietStretches({ faults, members, stalls, endedAtMs }: LivenessLimits): { fromMs: number; untilMs: number }[] {
  const disturbances = [
    ...faults.map(({ fromMs, settledAtMs }) => ({ fromMs, untilMs: settledAtMs })),
    ...stalls,
    ...nobodyWell(faults, members),
    { fromMs: endedAtMs, untilMs: Infinity },
  ].toSorted((a, b) => a.fromMs - b.fromMs);
  const stretches: { fromMs: number; untilMs: number }[] = [];
  let atMs = -Infinity;
  for (const { fromMs, untilMs } of disturbances) {
    if (fromMs > atMs) stretches.push({ fromMs: atMs, untilMs: fromMs });
    atMs = Math.max(atMs, untilMs);
  }
  return stretches;
}

/** When every member suffers from something at once. */
function nobodyWell(faults: readonly InjectedFault[], members: readonly string[]): { fromMs: number; untilMs: number }[] {
  const changes = faults
    .flatMap(({ member, fromMs, untilMs }) =>
      member === null
        ? []
        : [
            { atMs: fromMs, member, by: 1 },
            { atMs: untilMs, member, by: -1 },
          ],
    )
    .toSorted((a, b) => a.atMs - b.atMs);
  const sufferings = new Map(members.map((member) => [member, 0]));
  const all: { fromMs: number; untilMs: number }[] = [];
  let sinceMs: number | null = null;
  for (const { atMs, member, by } of changes) {
    sufferings.set(member, sufferings.get(member)! + by);
    const isNobodyWell = [...sufferings.values()].every((count) => count > 0);
    if (isNobodyWell && sinceMs === null) sinceMs = atMs;
    else if (!isNobodyWell && sinceMs !== null) {
      all.push({ fromMs: sinceMs, untilMs: atMs });
      sinceMs = null;
    }
  }
  if (sinceMs !== null) all.push({ fromMs: sinceMs, untilMs: Infinity });
  return all;
}
