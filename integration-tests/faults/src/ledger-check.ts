import type { ProcessHistory } from './history.js';
import type { Leadership } from './leaderships.js';
import type { LedgerRow } from './target.js';
import type { Violation } from './verdict.js';

/** What the database had. */
export interface Ledger {
  readonly rows: readonly LedgerRow[];
  /** When that began to be read: what was acknowledged later need not be in it. */
  readonly readAtMs: number;
}

/**
 * T8, and that nothing is lost: every acknowledged write is there, once; no refused one is; terms never go back; nothing of an earlier term comes in when a later one has written; and nobody
 * wrote who did not lead.
 */
export function checkLedger(
  histories: readonly ProcessHistory[],
  groups: ReadonlyMap<string, readonly Leadership[]>,
  { rows: ledger, readAtMs }: Ledger,
  violations: Violation[],
): { readonly staleRefusedCount: number; readonly writtenCount: number } {
  const sent = new Map<string, number>();
  for (const { records } of histories) for (const record of records) if (record.kind === 'write') sent.set(record.id, record.atMs);
  const rows = new Set<string>();
  const lastTerms = new Map<string, number>();
  const entryCounts = new Map<string, Map<number, number>>();
  for (const { id, group, term, session } of ledger) {
    const atMs = sent.get(id) ?? 0;
    if (!sent.has(id)) violations.push({ rule: 'T8', atMs, message: `${group}: write ${id} of term ${term} was sent by nobody` });
    if (rows.has(id)) violations.push({ rule: 'T8', atMs, message: `${group}: write ${id} of term ${term} is there twice` });
    rows.add(id);
    const lastTerm = lastTerms.get(group) ?? 0;
    if (term < lastTerm)
      violations.push({ rule: 'T8', atMs, message: `${group}: write ${id} of term ${term} came after one of term ${lastTerm}` });
    lastTerms.set(group, Math.max(term, lastTerm));
    const ofGroup = entryCounts.get(group) ?? new Map<number, number>();
    entryCounts.set(group, ofGroup.set(term, (ofGroup.get(term) ?? 0) + 1));
    if (!groups.get(group)?.some((each) => each.term === term && each.session === session)) {
      violations.push({
        rule: 'T8',
        atMs,
        message: `${group}: write ${id} of term ${term} is by ${session}, which never led in that term`,
      });
    }
  }
  let staleRefusedCount = 0;
  let writtenCount = 0;
  for (const { process, records } of histories) {
    const writes = new Map(records.flatMap((record) => (record.kind === 'write' ? [[record.id, record] as const] : [])));
    for (const record of records) {
      if (record.kind !== 'written' && record.kind !== 'refused') continue;
      const { id, atMs } = record;
      const write = writes.get(id);
      const group = write?.group ?? 'no group';
      if (record.kind === 'written') {
        writtenCount += 1;
        const laterCount = write && record.earlierCount !== null ? countBelow(entryCounts.get(group), write.term) - record.earlierCount : 0;
        if (laterCount > 0) {
          violations.push({
            rule: 'T8',
            atMs,
            message: `${group}: ${laterCount} writes of earlier terms were committed after ${process} had written in term ${write!.term}`,
          });
        }
        if (!rows.has(id) && atMs < readAtMs)
          violations.push({
            rule: 'lost',
            atMs,
            message: `${process}: write ${id} in ${group} was acknowledged, and is not in the database`,
          });
      } else {
        if (rows.has(id))
          violations.push({ rule: 'T8', atMs, message: `${process}: write ${id} in ${group} was refused, and is in the database` });
        if (groups.get(group)?.some((each) => each.term > (write?.term ?? Infinity))) staleRefusedCount += 1;
      }
    }
  }
  return { staleRefusedCount, writtenCount };
}

function countBelow(entryCounts: ReadonlyMap<number, number> = new Map(), limit: number): number {
  let sum = 0;
  for (const [term, count] of entryCounts) if (term < limit) sum += count;
  return sum;
}
