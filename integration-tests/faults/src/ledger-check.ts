import type { ProcessHistory } from './history.js';
import type { Leadership } from './leaderships.js';
import type { LedgerRow } from './target.js';
import type { Violation } from './verdict.js';

/** T8, and that nothing is lost: every acknowledged write is there, once; no refused one is; terms never go back; and nobody wrote who did not lead. */
export function checkLedger(
  histories: readonly ProcessHistory[],
  groups: ReadonlyMap<string, readonly Leadership[]>,
  ledger: readonly LedgerRow[],
  violations: Violation[],
): { readonly staleRefusedCount: number; readonly writtenCount: number } {
  const sent = new Map<string, number>();
  for (const { records } of histories) for (const record of records) if (record.kind === 'write') sent.set(record.id, record.atMs);
  const rows = new Set<string>();
  const lastTerms = new Map<string, number>();
  for (const { id, group, term, session } of ledger) {
    const atMs = sent.get(id) ?? 0;
    if (!sent.has(id)) violations.push({ rule: 'T8', atMs, message: `${group}: write ${id} of term ${term} was sent by nobody` });
    if (rows.has(id)) violations.push({ rule: 'T8', atMs, message: `${group}: write ${id} of term ${term} is there twice` });
    rows.add(id);
    const lastTerm = lastTerms.get(group) ?? 0;
    if (term < lastTerm)
      violations.push({ rule: 'T8', atMs, message: `${group}: write ${id} of term ${term} came after one of term ${lastTerm}` });
    lastTerms.set(group, Math.max(term, lastTerm));
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
    for (const { kind, ...answer } of records) {
      if (kind !== 'written' && kind !== 'refused') continue;
      const { id, atMs } = answer as { readonly id: string; readonly atMs: number };
      const write = writes.get(id);
      const group = write?.group ?? 'no group';
      if (kind === 'written') {
        writtenCount += 1;
        if (!rows.has(id))
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
