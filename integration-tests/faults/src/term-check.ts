import type { ProcessHistory } from './history.js';
import type { Leadership } from './leaderships.js';
import type { Violation } from './verdict.js';

/** What is known of the claims of one group. */
export interface GroupClaims {
  /** Who was told that it has been granted a term. */
  readonly holders: ReadonlyMap<number, { readonly session: string; readonly process: string }>;
  /** When claims were sent of which nobody knows what came, in order. */
  readonly unknownAtMs: readonly number[];
}

const NO_CLAIMS: GroupClaims = { holders: new Map(), unknownAtMs: [] };

/** What the processes asked for, and what they were told, by group. T6: no term is granted to two sessions. */
export function claimsOf(histories: readonly ProcessHistory[], violations: Violation[]): Map<string, GroupClaims> {
  const groups = new Map<string, { readonly holders: Map<number, { session: string; process: string }>; readonly unknownAtMs: number[] }>();
  const of = (group: string): { holders: Map<number, { session: string; process: string }>; unknownAtMs: number[] } => {
    const known = groups.get(group) ?? { holders: new Map(), unknownAtMs: [] };
    groups.set(group, known);
    return known;
  };
  for (const { process, records } of histories) {
    const sent = new Map(records.flatMap((record) => (record.kind === 'claim' ? [[record.id, record] as const] : [])));
    for (const record of records) {
      if (record.kind !== 'claimed') continue;
      const session = sent.get(record.id)?.session ?? 'no session';
      sent.delete(record.id);
      for (const { group, term } of record.granted) {
        const { holders } = of(group);
        const other = holders.get(term);
        if (other && other.session !== session) {
          violations.push({
            rule: 'T6',
            atMs: record.atMs,
            message: `${group}: term ${term} was granted to ${other.process} and to ${process}`,
          });
        }
        holders.set(term, { session, process });
      }
    }
    for (const { atMs, groups: asked } of sent.values()) for (const group of asked) of(group).unknownAtMs.push(atMs);
  }
  for (const { unknownAtMs } of groups.values()) unknownAtMs.sort((a, b) => a - b);
  return groups;
}

/** T6, L2: terms strictly rise in time, nobody leads in another's, and none is left out but one that was granted, or may have been: each claim of unknown outcome explains one. */
export function checkTerms(
  group: string,
  leaderships: readonly Leadership[],
  { holders, unknownAtMs }: GroupClaims = NO_CLAIMS,
  violations: Violation[],
): void {
  let explainedCount = 0;
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
    const sentCount = unknownAtMs.filter((sentAtMs) => sentAtMs <= atMs).length;
    for (let missing = (last?.term ?? 0) + 1; missing < term; missing += 1) {
      if (holders.has(missing)) continue;
      explainedCount += 1;
      if (explainedCount <= sentCount) continue;
      violations.push({
        rule: 'L2',
        atMs,
        message: `${group}: nobody can have been granted term ${missing}, which ${process}'s term ${term} has passed over`,
      });
      // What is said once need not be said of each.
      explainedCount = sentCount;
      break;
    }
  }
}
