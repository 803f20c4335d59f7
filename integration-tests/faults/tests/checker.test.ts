import { describe, expect, it } from 'vitest';
import { check, type LedgerRow } from '../src/checker.js';
import type { HistoryRecord, ProcessHistory } from '../src/history.js';

const begin = (atMs: number, term: number, untilMs: number, session: string): HistoryRecord => ({
  kind: 'begin',
  atMs,
  group: 'g',
  term,
  session,
  untilMs,
});
const unit = (atMs: number, term: number, untilMs: number): HistoryRecord => ({ kind: 'unit', atMs, group: 'g', term, untilMs });
const end = (atMs: number, term: number): HistoryRecord => ({ kind: 'end', atMs, group: 'g', term });
const abort = (atMs: number, term: number, reason: string): HistoryRecord => ({ kind: 'abort', atMs, group: 'g', term, reason });
const write = (atMs: number, term: number, id: string): HistoryRecord => ({ kind: 'write', atMs, group: 'g', term, id });
const written = (atMs: number, id: string): HistoryRecord => ({ kind: 'written', atMs, id });
const refused = (atMs: number, id: string): HistoryRecord => ({ kind: 'refused', atMs, id });
const claim = (atMs: number): HistoryRecord => ({ kind: 'claim', atMs, groups: ['g'] });
const row = (id: string, term: number, session: string): LedgerRow => ({ id, group: 'g', term, session });

/** Two leaderships, one after the other, each with a write: nothing is wrong with it. */
function good(): { readonly a: HistoryRecord[]; readonly b: HistoryRecord[]; readonly ledger: LedgerRow[] } {
  return {
    a: [
      claim(0),
      begin(1, 1, 100, 'sa'),
      unit(10, 1, 150),
      write(11, 1, 'w1'),
      written(12, 'w1'),
      abort(150, 1, 'lost-trust'),
      end(151, 1),
    ],
    b: [claim(160), begin(200, 2, 300, 'sb'), unit(210, 2, 310), write(211, 2, 'w2'), written(212, 'w2'), end(230, 2)],
    ledger: [row('w1', 1, 'sa'), row('w2', 2, 'sb')],
  };
}

function verdict(a: HistoryRecord[], b: HistoryRecord[], ledger: LedgerRow[]): ReturnType<typeof check> {
  const histories: ProcessHistory[] = [
    { process: 'a.1', records: a },
    { process: 'b.2', records: b },
  ];
  return check(histories, ledger);
}

function rulesOf(a: HistoryRecord[], b: HistoryRecord[], ledger: LedgerRow[]): string[] {
  return verdict(a, b, ledger).violations.map(({ rule }) => rule);
}

describe('the checker', () => {
  it('finds nothing in a history that is right, and measures it', () => {
    const { a, b, ledger } = good();
    const found = verdict(a, b, ledger);
    expect(found.violations).toEqual([]);
    expect(found).toMatchObject({ writtenCount: 2, staleRefusedCount: 0, leaderlessMs: [50] });
    expect(found.leaderships).toMatchObject([
      { process: 'a.1', term: 1, beganAtMs: 1, trustedUntilMs: 150, endedAtMs: 151, abortReason: 'lost-trust' },
      { process: 'b.2', term: 2, trustedUntilMs: 230 },
    ]);
  });

  it('T2: refuses a term that begins while the one before is trusted', () => {
    const { a, ledger } = good();
    const b = [claim(100), begin(140, 2, 300, 'sb'), write(211, 2, 'w2'), written(212, 'w2'), end(230, 2)];
    expect(rulesOf(a, b, ledger)).toEqual(['T2']);
  });

  it('T6: refuses a term that is led twice', () => {
    const { a, ledger } = good();
    const b = [begin(200, 1, 300, 'sb'), end(230, 1)];
    expect(rulesOf(a, b, ledger.slice(0, 1))).toEqual(['T6']);
  });

  it('T7: refuses a hand-over that overlaps with work that had not settled', () => {
    const { b, ledger } = good();
    // Trust was last seen until 120, and the work settled only at 205.
    const a = [claim(0), begin(1, 1, 120, 'sa'), write(11, 1, 'w1'), written(12, 'w1'), abort(100, 1, 'resigned'), end(205, 1)];
    expect(rulesOf(a, b, ledger)).toEqual(['T7']);
  });

  it('T7: refuses work that begins in a process while its work of another term goes on', () => {
    const { b, ledger } = good();
    const a = [begin(1, 1, 100, 'sa'), write(11, 1, 'w1'), written(12, 'w1'), begin(120, 3, 130, 'sa3'), end(130, 3), claim(118)];
    expect(rulesOf(a, b, ledger)).toContain('T7');
  });

  it('T4: refuses a unit of work after a later term has begun', () => {
    const { a, b, ledger } = good();
    expect(rulesOf([...a.slice(0, 5), unit(201, 1, 150), end(202, 1)], b, ledger)).toContain('T4');
  });

  it('T10: refuses work that was never begun', () => {
    const { a, b, ledger } = good();
    expect(rulesOf(a, [unit(190, 7, 191), ...b], ledger)).toContain('T10');
  });

  it('L2: refuses a term that nobody claimed, and accepts one that was claimed and never worked under', () => {
    const { a, ledger } = good();
    const later = [begin(200, 4, 300, 'sb'), write(211, 4, 'w2'), written(212, 'w2'), end(230, 4)];
    const rows = [ledger[0]!, row('w2', 4, 'sb')];
    expect(rulesOf(a, later, rows)).toEqual(['L2']);
    expect(rulesOf(a, [claim(160), ...later], rows)).toEqual([]);
  });

  it('T6: refuses an acknowledged write that is lost', () => {
    const { a, b, ledger } = good();
    expect(rulesOf(a, b, ledger.slice(1))).toEqual(['T6']);
  });

  it('T8: refuses a refused write that is in the ledger, a write of a stranger, and one that is there twice', () => {
    const { a, b, ledger } = good();
    const late = [...a, write(205, 1, 'w3'), refused(206, 'w3')];
    expect(rulesOf(late, b, ledger)).toEqual([]);
    expect(verdict(late, b, ledger).staleRefusedCount).toBe(1);
    expect(rulesOf(late, b, [ledger[0]!, row('w3', 1, 'sa'), ledger[1]!])).toEqual(['T8']);
    expect(rulesOf(a, b, [...ledger, row('w9', 2, 'nobody')])).toEqual(['T8']);
    expect(rulesOf(a, b, [...ledger, ledger[1]!])).toEqual(['T8']);
  });

  it('T8: refuses a ledger whose terms go back', () => {
    const { a, b, ledger } = good();
    expect(rulesOf(a, b, ledger.toReversed())).toEqual(['T8']);
  });

  it('a write of unknown outcome may be there or not', () => {
    const { a, b, ledger } = good();
    const unknown = [...a.slice(0, 5), write(13, 1, 'w5'), ...a.slice(5)];
    expect(rulesOf(unknown, b, ledger)).toEqual([]);
    expect(rulesOf(unknown, b, [ledger[0]!, row('w5', 1, 'sa'), ledger[1]!])).toEqual([]);
  });
});
