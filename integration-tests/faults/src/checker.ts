import type { ProcessHistory } from './history.js';
import { checkLiveness, gapsOf, type Gap, type LivenessLimits } from './leaderless.js';
import { byGroup, leadershipsOf, type Leadership } from './leaderships.js';
import { checkLedger } from './ledger-check.js';
import type { LedgerRow } from './target.js';
import type { Verdict, Violation } from './verdict.js';

/** Ends that are handed over: the work has settled, and then the lease was released (T7). */
const GRACEFUL: readonly string[] = ['resigned', 'closed', 'stopped'];

/** What is known of a run beside its histories. */
export interface CheckLimits extends LivenessLimits {
  /** How long after the database's clock was moved a leader may trust what is not so any more: its TTL. */
  readonly clockGraceMs: number;
}

/** Reads what everyone saw, and what the database has, and finds what must not be. */
export function check(histories: readonly ProcessHistory[], ledger: readonly LedgerRow[], limits: CheckLimits): Verdict {
  const violations: Violation[] = [];
  const leaderships = histories.flatMap((history) => leadershipsOf(history, violations));
  const groups = byGroup(leaderships);
  const gaps: Gap[] = [];
  let clockOverlapCount = 0;
  for (const [group, ofGroup] of groups) {
    clockOverlapCount += checkTrust(group, ofGroup, limits, violations);
    checkTerms(group, ofGroup, histories, violations);
    checkHandOvers(group, ofGroup, violations);
    gaps.push(...gapsOf(group, ofGroup, limits));
  }
  violations.push(...checkLiveness(gaps, limits));
  clockOverlapCount += checkUnits(histories, groups, limits, violations);
  const { staleRefusedCount, writtenCount } = checkLedger(histories, groups, ledger, violations);
  violations.sort((a, b) => a.atMs - b.atMs);
  return { violations, leaderships, staleRefusedCount, writtenCount, gaps, clockOverlapCount };
}

/** T2, T6: nobody begins while anybody trusts an earlier term. */
function checkTrust(group: string, leaderships: readonly Leadership[], limits: CheckLimits, violations: Violation[]): number {
  let longest: Leadership | undefined;
  let clockOverlapCount = 0;
  for (const next of leaderships) {
    if (longest && next.term > longest.term && next.beganAtMs < longest.trustedUntilMs) {
      if (isClockMoved(longest, next.beganAtMs, limits)) clockOverlapCount += 1;
      else {
        const byMs = (longest.trustedUntilMs - next.beganAtMs).toFixed(1);
        violations.push({
          rule: 'T2',
          atMs: next.beganAtMs,
          message: `${group}: ${next.process} began term ${next.term} ${byMs} ms before the trust of ${longest.process} in term ${longest.term} had ended`,
        });
      }
    }
    if (!longest || next.trustedUntilMs > longest.trustedUntilMs) longest = next;
  }
  return clockOverlapCount;
}

/** Whether the database's clock was moved after this leadership began, not long before `atMs`. */
function isClockMoved({ beganAtMs }: Leadership, atMs: number, { faults, clockGraceMs }: CheckLimits): boolean {
  return faults.some(
    ({ movesClock, fromMs, untilMs }) => movesClock && beganAtMs <= untilMs && fromMs <= atMs && atMs <= untilMs + clockGraceMs,
  );
}

/** T6, L2: terms strictly rise in time, nobody leads in another's, and none is left out but one that somebody had asked for. */
function checkTerms(
  group: string,
  leaderships: readonly Leadership[],
  histories: readonly ProcessHistory[],
  violations: Violation[],
): void {
  for (const [at, next] of leaderships.entries()) {
    const { term, process, beganAtMs: atMs } = next;
    const last = leaderships[at - 1];
    if (last?.term === term)
      violations.push({ rule: 'T6', atMs, message: `${group}: term ${term} was led by ${last.process} and by ${process}` });
    if (last && term > last.term && atMs < last.beganAtMs) {
      violations.push({
        rule: 'T6',
        atMs,
        message: `${group}: ${process} began term ${term} before ${last.process} began term ${last.term}`,
      });
    }
    const lastTerm = last?.term ?? 0;
    const missingCount = term - lastTerm - 1;
    // A grant that nobody worked under (a claim that landed late, or a process that died) must at least have been asked for.
    if (missingCount > 0 && claimCount(group, last?.beganAtMs ?? -Infinity, atMs, histories) <= missingCount) {
      violations.push({
        rule: 'L2',
        atMs,
        message: `${group}: the term went from ${lastTerm} to ${term}, and nobody had claimed what is in between`,
      });
    }
  }
}

/** How many claims of the group were sent, the one that was granted last included. */
function claimCount(group: string, fromMs: number, untilMs: number, histories: readonly ProcessHistory[]): number {
  let count = 0;
  for (const { records } of histories) {
    for (const record of records) {
      if (record.kind === 'claim' && record.atMs >= fromMs && record.atMs <= untilMs && record.groups.includes(group)) count += 1;
    }
  }
  return count;
}

/** T7: whoever gives its lease away has settled before the next begins. */
function checkHandOvers(group: string, leaderships: readonly Leadership[], violations: Violation[]): void {
  for (const [at, last] of leaderships.entries()) {
    const next = leaderships[at + 1];
    if (!next || last.abortReason === null || !GRACEFUL.includes(last.abortReason)) continue;
    if (last.endedAtMs !== null && next.beganAtMs < last.endedAtMs) {
      violations.push({
        rule: 'T7',
        atMs: next.beganAtMs,
        message: `${group}: ${next.process} began term ${next.term} before ${last.process} had settled term ${last.term}`,
      });
    }
  }
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
      if (own && isClockMoved(own, later.beganAtMs, limits)) clockOverlapCount += 1;
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
