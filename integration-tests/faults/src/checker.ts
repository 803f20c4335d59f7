import type { ProcessHistory } from './history.js';
import { checkRuns, type JobLimits } from './job-begins.js';
import { checkLiveness, gapsOf, type Gap, type LivenessLimits } from './leaderless.js';
import { byGroup, leadershipsOf, type Leadership } from './leaderships.js';
import { checkLedger, type Ledger } from './ledger-check.js';
import { checkTerms, claimsOf } from './term-check.js';
import { checkSessions, checkTrust, isClockMoved, type TrustLimits } from './trust-check.js';
import type { Verdict, Violation } from './verdict.js';

/** Ends that are handed over: the work has settled, and then the lease was released (T7). */
const GRACEFUL: readonly string[] = ['resigned', 'closed', 'stopped'];

/** What is known of a run beside its histories. */
export interface CheckLimits extends LivenessLimits, TrustLimits {
  readonly groups: readonly string[];
  /** Default: there are none. */
  readonly jobs?: JobLimits;
}

/** Reads what everyone saw, and what the database has (`null`: that was not looked at), and finds what must not be. */
export function check(histories: readonly ProcessHistory[], ledger: Ledger | null, limits: CheckLimits): Verdict {
  const violations: Violation[] = [];
  const leaderships = histories.flatMap((history) => leadershipsOf(history, violations));
  const groups = byGroup(leaderships);
  const claims = claimsOf(histories, violations);
  const extensions = extensionsOf(histories);
  const gaps: Gap[] = [];
  let clockOverlapCount = 0;
  for (const history of histories) checkSessions(history, limits, violations);
  for (const group of new Set([...limits.groups, ...groups.keys()])) {
    const ofGroup = groups.get(group) ?? [];
    clockOverlapCount += checkTrust(group, ofGroup, limits, violations);
    checkTerms(group, ofGroup, claims.get(group), violations);
    checkHandOvers(group, ofGroup, extensions, limits, violations);
    gaps.push(...gapsOf(group, ofGroup, limits));
  }
  const { longestCalmGapMs } = checkLiveness(gaps, limits, violations);
  clockOverlapCount += checkUnits(histories, groups, limits, violations);
  const { staleRefusedCount, writtenCount } =
    ledger === null ? { staleRefusedCount: 0, writtenCount: 0 } : checkLedger(histories, groups, ledger, violations);
  if (limits.jobs) violations.push(...checkRuns(histories, limits.jobs, limits));
  violations.sort((a, b) => a.atMs - b.atMs);
  return { violations, leaderships, staleRefusedCount, writtenCount, gaps, clockOverlapCount, longestCalmGapMs };
}

/** T7: whoever gives its lease away has settled before the next begins, unless its session has expired meanwhile: then the next one takes over. */
function checkHandOvers(
  group: string,
  leaderships: readonly Leadership[],
  extensions: ReadonlyMap<string, readonly number[]>,
  limits: CheckLimits,
  violations: Violation[],
): void {
  for (const [at, last] of leaderships.entries()) {
    const next = leaderships[at + 1];
    if (!next || last.abortReason === null || !GRACEFUL.includes(last.abortReason)) continue;
    if (last.endedAtMs === null || last.endedAtMs <= next.beganAtMs) continue;
    const isSessionLive = extensions
      .get(last.session)
      ?.some((sentAtMs) => sentAtMs <= next.beganAtMs && next.beganAtMs < sentAtMs + limits.trustMs);
    // A takeover by a clock that was moved comes before its time, and is counted as one.
    if (isSessionLive !== true || isClockMoved(last, next.beganAtMs, next.beganAtMs, limits)) continue;
    violations.push({
      rule: 'T7',
      atMs: next.beganAtMs,
      message: `${group}: ${next.process} began term ${next.term} before ${last.process} had settled term ${last.term}`,
    });
  }
}

/** When each session's acknowledged heartbeats were sent. */
function extensionsOf(histories: readonly ProcessHistory[]): ReadonlyMap<string, readonly number[]> {
  const extensions = new Map<string, number[]>();
  for (const record of histories.flatMap(({ records }) => records)) {
    if (record.kind !== 'extended') continue;
    const sentAtMs = extensions.get(record.session);
    if (sentAtMs) sentAtMs.push(record.sentAtMs);
    else extensions.set(record.session, [record.sentAtMs]);
  }
  return extensions;
}

/** T4: no unit of work begins when a later term has begun. A freeze cannot bring that about: a unit's time is read before its lease is looked at. */
function checkUnits(
  histories: readonly ProcessHistory[],
  groups: ReadonlyMap<string, readonly Leadership[]>,
  limits: CheckLimits,
  violations: Violation[],
): number {
  let clockOverlapCount = 0;
  for (const { process, records } of histories) {
    for (const unit of records) {
      if (unit.kind !== 'unit') continue;
      const { atMs, group, term } = unit;
      const ofGroup = groups.get(group) ?? [];
      const later = ofGroup.find((each) => each.term > term && each.beganAtMs < atMs);
      if (!later) continue;
      const own = ofGroup.find((each) => each.term === term);
      if (own && isClockMoved(own, later.beganAtMs, atMs, limits)) clockOverlapCount += 1;
      else
        violations.push({
          rule: 'T4',
          atMs,
          message: `${process} worked on ${group} in term ${term} when ${later.process} had begun term ${later.term}`,
        });
    }
  }
  return clockOverlapCount;
}
