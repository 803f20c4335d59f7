import type { ProcessHistory } from './history.js';
import type { InjectedFault } from './injected-fault.js';
import type { Leadership } from './leaderships.js';
import type { Violation } from './verdict.js';

/** What is known of the timings, and of the database's clock. */
export interface TrustLimits {
  readonly ttlMs: number;
  /** How long a session is trusted after its last heartbeat was sent: its TTL, less the margin. */
  readonly trustMs: number;
  readonly faults: readonly InjectedFault[];
}

/** A rounding error. */
const TOLERANCE_MS = 1;

/** T2, T6: nobody begins while anybody trusts an earlier term. Returns how often it had to be so because the database's clock was moved. */
export function checkTrust(group: string, leaderships: readonly Leadership[], limits: TrustLimits, violations: Violation[]): number {
  let longest: Leadership | undefined;
  let clockOverlapCount = 0;
  for (const next of leaderships) {
    if (longest && next.term > longest.term && next.beganAtMs < longest.trustedUntilMs) {
      if (isClockMoved(longest, next.beganAtMs, longest.trustedUntilMs, limits)) clockOverlapCount += 1;
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

/**
 * Whether the database's clock was moved after this leadership began and before its successor's did, so that the two may overlap until `untilMs`: a TTL after the clock stood right again at the
 * latest. Who trusts for longer has had a heartbeat acknowledged that should have been refused.
 */
export function isClockMoved({ beganAtMs }: Leadership, succeededAtMs: number, untilMs: number, { faults, ttlMs }: TrustLimits): boolean {
  return faults.some(
    (fault) =>
      fault.movesClock &&
      beganAtMs <= fault.untilMs &&
      fault.fromMs <= succeededAtMs &&
      Math.max(succeededAtMs, untilMs) <= fault.untilMs + ttlMs,
  );
}

/** T2: trust is counted from the sending of what extended the session. S2: a session that is dead stays so. Both from what each process saw by itself. */
export function checkSessions(
  { process, records }: ProcessHistory,
  { ttlMs, trustMs, faults }: TrustLimits,
  violations: Violation[],
): void {
  const sentAtMs = new Map<string, number>();
  const sessions = new Map<string, string>();
  for (const record of records) {
    const { kind, atMs } = record;
    if (kind === 'extended') sentAtMs.set(record.session, Math.max(record.sentAtMs, sentAtMs.get(record.session) ?? -Infinity));
    else if (kind === 'revived') {
      const since = record.lostAtMs - ttlMs;
      if (faults.some(({ movesClock, fromMs, untilMs }) => movesClock && fromMs <= atMs && since <= untilMs)) continue;
      violations.push({
        rule: 'S2',
        atMs,
        message: `${process}: a heartbeat of session ${record.session} was acknowledged, which had been dead for long`,
      });
    } else if (kind === 'begin' || kind === 'unit' || kind === 'trust') {
      if (kind === 'begin') sessions.set(`${record.group}\0${record.term}`, record.session);
      const session = kind === 'unit' ? sessions.get(`${record.group}\0${record.term}`) : record.session;
      const limitMs = (sentAtMs.get(session ?? '') ?? Infinity) + trustMs;
      if (record.untilMs <= limitMs + TOLERANCE_MS) continue;
      violations.push({
        rule: 'T2',
        atMs,
        message: `${process} trusts for ${(record.untilMs - limitMs).toFixed(1)} ms longer than its session is worth, counted from when its last heartbeat was sent`,
      });
    }
  }
}
