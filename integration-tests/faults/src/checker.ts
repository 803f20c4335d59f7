import type { HistoryRecord, ProcessHistory } from './history.js';

/** A row of the ledger, in the order in which the database let them in. */
export interface LedgerRow {
  readonly id: string;
  readonly group: string;
  readonly term: number;
  readonly session: string;
}

/** A rule that a run broke. */
export interface Violation {
  readonly rule: string;
  readonly message: string;
}

/** One leadership, put together from the history of its process. */
export interface Leadership {
  readonly group: string;
  readonly term: number;
  readonly session: string;
  readonly process: string;
  readonly beganAtMs: number;
  /** The last instant at which it surely was trusted: the end of its work, or of the trust that was last seen, whichever came first. */
  readonly trustedUntilMs: number;
  /** When its work settled; `null` if nobody lived to see it. */
  readonly endedAtMs: number | null;
  readonly abortReason: string | null;
}

/** What the checker found. */
export interface Verdict {
  readonly violations: readonly Violation[];
  readonly leaderships: readonly Leadership[];
  /** Writes of a leader that was overtaken while it wrote, refused by the fence. */
  readonly staleRefusedCount: number;
  readonly writtenCount: number;
  /** Times without a leader between two leaderships of a group, in ms. */
  readonly leaderlessMs: readonly number[];
}

/** Reads what everyone saw, and what the database has, and finds what must not be. */
export function check(histories: readonly ProcessHistory[], ledger: readonly LedgerRow[]): Verdict {
  const violations: Violation[] = [];
  const leaderships = histories.flatMap((history) => leadershipsOf(history, violations));
  const leaderlessMs: number[] = [];
  for (const [group, ofGroup] of grouped(leaderships)) {
    checkTerms(group, ofGroup, histories, violations, leaderlessMs);
  }
  checkUnits(histories, leaderships, violations);
  const { staleRefusedCount, writtenCount } = checkLedger(histories, leaderships, ledger, violations);
  return { violations, leaderships, staleRefusedCount, writtenCount, leaderlessMs };
}

function grouped(leaderships: readonly Leadership[]): Map<string, Leadership[]> {
  const groups = new Map<string, Leadership[]>();
  for (const leadership of leaderships) groups.set(leadership.group, [...(groups.get(leadership.group) ?? []), leadership]);
  return groups;
}

function leadershipsOf({ process, records }: ProcessHistory, violations: Violation[]): Leadership[] {
  const open = new Map<string, { -readonly [K in keyof Leadership]: Leadership[K] }>();
  const all: Leadership[] = [];
  for (const record of records) {
    if (record.kind !== 'begin' && record.kind !== 'unit' && record.kind !== 'abort' && record.kind !== 'end') continue;
    const key = `${record.group}\0${record.term}`;
    const leadership = open.get(key);
    if (record.kind === 'begin') {
      if ([...open.values()].some((other) => other.group === record.group && other.endedAtMs === null)) {
        violations.push({
          rule: 'T7',
          message: `${process} began ${record.group} in term ${record.term} while its work of another term went on`,
        });
      }
      const begun = {
        group: record.group,
        term: record.term,
        session: record.session,
        process,
        beganAtMs: record.atMs,
        trustedUntilMs: record.untilMs,
        endedAtMs: null,
        abortReason: null,
      };
      open.set(key, begun);
      all.push(begun);
      continue;
    }
    if (!leadership) {
      violations.push({ rule: 'T10', message: `${process} worked on ${record.group} in term ${record.term}, which it never began` });
      continue;
    }
    if (record.kind === 'unit') leadership.trustedUntilMs = record.untilMs;
    else if (record.kind === 'abort') leadership.abortReason = record.reason;
    else {
      leadership.endedAtMs = record.atMs;
      leadership.trustedUntilMs = Math.min(leadership.trustedUntilMs, record.atMs);
    }
  }
  return all;
}

/** T2, T6, T7: one leader at a time, in terms that rise, each later one after the end of the one before. */
function checkTerms(
  group: string,
  leaderships: readonly Leadership[],
  histories: readonly ProcessHistory[],
  violations: Violation[],
  leaderlessMs: number[],
): void {
  const inOrder = leaderships.toSorted((a, b) => a.term - b.term);
  for (const [at, next] of inOrder.entries()) {
    const last = inOrder[at - 1];
    if (!last) continue;
    if (next.term === last.term) {
      violations.push({ rule: 'T6', message: `${group}: term ${next.term} was led by ${last.process} and by ${next.process}` });
      continue;
    }
    if (next.beganAtMs < last.trustedUntilMs) {
      const byMs = (last.trustedUntilMs - next.beganAtMs).toFixed(1);
      violations.push({
        rule: 'T2',
        message: `${group}: ${next.process} began term ${next.term} ${byMs} ms before the trust of ${last.process} in term ${last.term} had ended`,
      });
    }
    const isGraceful = last.abortReason !== null && ['resigned', 'closed', 'stopped'].includes(last.abortReason);
    if (isGraceful && last.endedAtMs !== null && next.beganAtMs < last.endedAtMs) {
      violations.push({
        rule: 'T7',
        message: `${group}: ${next.process} began term ${next.term} before ${last.process} had settled term ${last.term}`,
      });
    }
    if (next.term > last.term + 1 && !isClaimed(group, last.beganAtMs, next.beganAtMs, histories)) {
      violations.push({
        rule: 'L2',
        message: `${group}: the term went from ${last.term} to ${next.term}, and nobody had claimed it in between`,
      });
    }
    leaderlessMs.push(Math.max(0, next.beganAtMs - last.trustedUntilMs));
  }
}

/** A grant that nobody worked under (a claim that landed late, or a process that died) must at least have been asked for. */
function isClaimed(group: string, fromMs: number, untilMs: number, histories: readonly ProcessHistory[]): boolean {
  return histories.some(({ records }) =>
    records.some((record) => record.kind === 'claim' && record.atMs >= fromMs && record.atMs <= untilMs && record.groups.includes(group)),
  );
}

/** T4: no unit of work begins when a later term has begun. */
function checkUnits(histories: readonly ProcessHistory[], leaderships: readonly Leadership[], violations: Violation[]): void {
  for (const { process, records } of histories) {
    for (const unit of records) {
      if (unit.kind !== 'unit') continue;
      const later = leaderships.find(({ group, term, beganAtMs }) => group === unit.group && term > unit.term && beganAtMs < unit.atMs);
      if (!later) continue;
      violations.push({
        rule: 'T4',
        message: `${process} worked on ${unit.group} in term ${unit.term} when ${later.process} had begun term ${later.term}`,
      });
    }
  }
}

/** T8: every acknowledged write is there, once; no refused one is; and terms never go back. */
function checkLedger(
  histories: readonly ProcessHistory[],
  leaderships: readonly Leadership[],
  ledger: readonly LedgerRow[],
  violations: Violation[],
): { readonly staleRefusedCount: number; readonly writtenCount: number } {
  const rows = new Map(ledger.map((row) => [row.id, row]));
  if (rows.size !== ledger.length) violations.push({ rule: 'T8', message: `${ledger.length - rows.size} writes are in the ledger twice` });
  const lastTerms = new Map<string, number>();
  for (const { id, group, term, session } of ledger) {
    if (term < (lastTerms.get(group) ?? 0)) {
      violations.push({ rule: 'T8', message: `${group}: write ${id} of term ${term} came after one of term ${lastTerms.get(group)}` });
    }
    lastTerms.set(group, term);
    if (!leaderships.some((each) => each.group === group && each.term === term && each.session === session)) {
      violations.push({ rule: 'T8', message: `${group}: write ${id} of term ${term} is by ${session}, which never led in that term` });
    }
  }
  let staleRefusedCount = 0;
  let writtenCount = 0;
  for (const { process, records } of histories) {
    const answers = new Map(
      records.flatMap((record): [string, HistoryRecord['kind']][] =>
        record.kind === 'written' || record.kind === 'refused' ? [[record.id, record.kind]] : [],
      ),
    );
    for (const record of records) {
      if (record.kind !== 'write') continue;
      const answer = answers.get(record.id);
      if (answer === 'written') {
        writtenCount += 1;
        if (!rows.has(record.id))
          violations.push({ rule: 'T6', message: `${process}: write ${record.id} in ${record.group} was acknowledged and is lost` });
      } else if (answer === 'refused') {
        if (rows.has(record.id))
          violations.push({ rule: 'T8', message: `${process}: write ${record.id} in ${record.group} was refused and is in the ledger` });
        if (leaderships.some((each) => each.group === record.group && each.term > record.term)) staleRefusedCount += 1;
      }
    }
  }
  return { staleRefusedCount, writtenCount };
}
