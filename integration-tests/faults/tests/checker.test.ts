import { describe, expect, it } from 'vitest';
import { check, type CheckLimits } from '../src/checker.js';
import type { HistoryRecord, ProcessHistory } from '../src/history.js';
import type { InjectedFault } from '../src/injected-fault.js';
import type { LedgerRow } from '../src/target.js';

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
const written = (atMs: number, id: string, earlierCount: number | null = null): HistoryRecord => ({
  kind: 'written',
  atMs,
  id,
  earlierCount,
});
const refused = (atMs: number, id: string): HistoryRecord => ({ kind: 'refused', atMs, id });
/** Times are numbers enough. */
const claim = (atMs: number, session = 's'): HistoryRecord => ({ kind: 'claim', atMs, id: atMs, session, groups: ['g'] });
const claimed = (atMs: number, id: number, ...terms: number[]): HistoryRecord => ({
  kind: 'claimed',
  atMs,
  id,
  granted: terms.map((term) => ({ group: 'g', term })),
});
const extended = (atMs: number, session: string, sentAtMs: number): HistoryRecord => ({ kind: 'extended', atMs, session, sentAtMs });
const trust = (atMs: number, session: string, untilMs: number): HistoryRecord => ({ kind: 'trust', atMs, session, untilMs });
const row = (id: string, term: number, session: string): LedgerRow => ({ position: 1, id, group: 'g', term, session });
const fault = (fromMs: number, untilMs: number, settledAtMs: number, more: Partial<InjectedFault> = {}): InjectedFault => ({
  kind: 'killed',
  member: 'a',
  fromMs,
  untilMs,
  settledAtMs,
  movesClock: false,
  ...more,
});

const LIMITS: CheckLimits = {
  limitMs: 200,
  members: ['a', 'b'],
  groups: ['g'],
  faults: [],
  stalls: [],
  startedAtMs: 1,
  endedAtMs: 240,
  ttlMs: 100,
  trustMs: 90,
};

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
    b: [claim(160), begin(200, 2, 300, 'sb'), unit(210, 2, 310), write(211, 2, 'w2'), written(212, 'w2', 1), end(230, 2)],
    ledger: [row('w1', 1, 'sa'), row('w2', 2, 'sb')],
  };
}

function verdict(a: HistoryRecord[], b: HistoryRecord[], rows: LedgerRow[], limits: Partial<CheckLimits> = {}): ReturnType<typeof check> {
  const histories: ProcessHistory[] = [
    { process: 'a.1', records: a },
    { process: 'b.2', records: b },
  ];
  return check(histories, { rows, readAtMs: 1_000 }, { ...LIMITS, ...limits });
}

function rulesOf(a: HistoryRecord[], b: HistoryRecord[], ledger: LedgerRow[], limits: Partial<CheckLimits> = {}): string[] {
  return verdict(a, b, ledger, limits).violations.map(({ rule }) => rule);
}

describe('the checker', () => {
  it('finds nothing in a history that is right, and measures it', () => {
    const { a, b, ledger } = good();
    const found = verdict(a, b, ledger);
    expect(found.violations).toEqual([]);
    expect(found).toMatchObject({ writtenCount: 2, staleRefusedCount: 0, clockOverlapCount: 0, longestCalmGapMs: 49 });
    // From the end of the first leader's work to the beginning of the second's, and from the end of that to the end of the run.
    expect(found.gaps).toMatchObject([
      { fromMs: 151, untilMs: 200 },
      { fromMs: 230, untilMs: 240 },
    ]);
    expect(found.leaderships).toMatchObject([
      { process: 'a.1', term: 1, beganAtMs: 1, trustedUntilMs: 150, endedAtMs: 151, abortReason: 'lost-trust' },
      { process: 'b.2', term: 2, trustedUntilMs: 230 },
    ]);
  });

  it('T8: refuses a write of an earlier term that came in after a later one had written, wherever it stands in the table', () => {
    const { a, b, ledger } = good();
    const late = [...a, write(152, 1, 'w3')];
    // The transaction had taken its place before the other's; it was committed later.
    expect(rulesOf(late, b, [ledger[0]!, row('w3', 1, 'sa'), ledger[1]!])).toEqual(['T8']);
  });

  it('T7: says nothing of a hand-over that the moved clock of the database has overtaken', () => {
    const a = [
      claim(0),
      begin(1, 1, 120, 'sa'),
      write(11, 1, 'w1'),
      written(12, 'w1'),
      abort(100, 1, 'closed'),
      extended(160, 'sa', 150),
      end(205, 1),
    ];
    const { b, ledger } = good();
    expect(rulesOf(a, b, ledger)).toContain('T7');
    expect(rulesOf(a, b, ledger, { faults: [fault(150, 190, 190, { member: null, movesClock: true })] })).toEqual([]);
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

  it('T6: refuses a term that one process leads twice', () => {
    const { b, ledger } = good();
    const a = [...good().a, begin(155, 1, 160, 'sa'), end(156, 1)];
    expect(rulesOf(a, b, ledger)).toContain('T6');
  });

  it('T6: refuses a later term that begins before an earlier one', () => {
    const { ledger } = good();
    const a = [claim(0), begin(210, 1, 215, 'sa'), write(211, 1, 'w1'), written(212, 'w1'), end(214, 1)];
    const b = [claim(0), begin(200, 2, 205, 'sb'), write(201, 2, 'w2'), written(202, 'w2'), end(205, 2)];
    expect(rulesOf(a, b, ledger)).toContain('T6');
  });

  it('T2: refuses trust that outlasts the next term but one', () => {
    const a = [claim(0), begin(1, 1, 220, 'sa')];
    const b = [claim(2), begin(50, 2, 60, 'sb'), end(55, 2), claim(60), begin(70, 3, 300, 'sb'), end(230, 3)];
    expect(rulesOf(a, b, [])).toEqual(['T2', 'T2']);
  });

  it('T2 does not cover the time right after the database clock was moved; the ledger is checked all the same', () => {
    const { a, ledger } = good();
    const b = [claim(100), begin(140, 2, 300, 'sb'), write(211, 2, 'w2'), written(212, 'w2'), end(230, 2)];
    const moved = fault(120, 130, 130, { kind: 'clock', member: null, movesClock: true });
    expect(verdict(a, b, ledger, { faults: [moved] })).toMatchObject({ violations: [], clockOverlapCount: 1 });
    expect(rulesOf(a, b, ledger, { faults: [{ ...moved, movesClock: false }] })).toEqual(['T2']);
    expect(rulesOf(a, b, ledger, { faults: [{ ...moved, fromMs: 141, untilMs: 150 }] })).toEqual(['T2']);
    expect(rulesOf(a, b, ledger.toReversed(), { faults: [moved] })).toEqual(['T8']);
  });

  it('T2: the moved clock excuses trust for a TTL, and not for ever', () => {
    const { a, ledger } = good();
    const b = [claim(100), begin(140, 2, 300, 'sb'), write(211, 2, 'w2'), written(212, 'w2'), end(230, 2)];
    const moved = fault(40, 51, 51, { kind: 'clock', member: null, movesClock: true });
    expect(rulesOf(a, b, ledger, { faults: [moved] })).toEqual([]);
    expect(rulesOf(a, b, ledger, { faults: [{ ...moved, untilMs: 49 }] })).toEqual(['T2']);
    // The deposed one goes on being extended.
    const revived = [...a.slice(0, 5), trust(145, 'sa', 220), abort(219, 1, 'lost-trust'), end(220, 1)];
    expect(rulesOf(revived, b, ledger, { faults: [moved] })).toEqual(['T2']);
  });

  it('T4: the moved clock excuses work for a TTL, and not for ever', () => {
    const { a, ledger } = good();
    const b = [claim(100), begin(140, 2, 300, 'sb'), write(211, 2, 'w2'), written(212, 'w2'), end(230, 2)];
    const works = [...a.slice(0, 5), unit(148, 1, 150), abort(150, 1, 'lost-trust'), end(151, 1)];
    const moved = fault(40, 51, 51, { kind: 'clock', member: null, movesClock: true });
    expect(rulesOf(works, b, ledger, { faults: [moved] })).toEqual([]);
    const worksOn = [...a.slice(0, 5), unit(160, 1, 161), abort(161, 1, 'lost-trust'), end(162, 1)];
    expect(rulesOf(worksOn, b, ledger, { faults: [moved] })).toEqual(['T2', 'T4']);
  });

  it('T2: each extension counts, also between two units of work', () => {
    const { b, ledger } = good();
    const a = [claim(0), begin(1, 1, 100, 'sa'), write(11, 1, 'w1'), written(12, 'w1'), trust(120, 'sa', 205)];
    expect(rulesOf(a, b, ledger)).toEqual(['T2']);
    expect(rulesOf([...a, end(190, 1)], b, ledger)).toEqual([]);
    expect(rulesOf([...a.slice(0, -1), trust(120, 'another', 205)], b, ledger)).toEqual([]);
  });

  it('T2: refuses trust that is counted from the reply', () => {
    const { b, ledger } = good();
    const seen = (sentAtMs: number, untilMs: number): HistoryRecord[] => [
      extended(0, 'sa', -10),
      claim(0),
      begin(1, 1, 80, 'sa'),
      write(11, 1, 'w1'),
      written(12, 'w1'),
      extended(70, 'sa', sentAtMs),
      trust(71, 'sa', untilMs),
      end(120, 1),
    ];
    expect(rulesOf(seen(50, 140), b, ledger)).toEqual([]);
    expect(rulesOf(seen(50, 160), b, ledger)).toEqual(['T2']);
    expect(rulesOf([...seen(50, 140).slice(0, -1), unit(100, 1, 150), end(120, 1)], b, ledger)).toEqual(['T2']);
    expect(rulesOf([extended(0, 'sa', -10), claim(0), begin(1, 1, 100, 'sa'), end(120, 1)], b, ledger.slice(1))).toEqual(['T2']);
  });

  it('S2: refuses a heartbeat that revives a session, unless the clock of the database was moved meanwhile', () => {
    const { a, b, ledger } = good();
    const late = [...a, { kind: 'revived', atMs: 800, session: 'sa', lostAtMs: 150 } as const];
    expect(rulesOf(late, b, ledger)).toEqual(['S2']);
    const moved = fault(40, 60, 60, { kind: 'clock', member: null, movesClock: true });
    expect(rulesOf(late, b, ledger, { faults: [moved] })).toEqual([]);
    expect(rulesOf(late, b, ledger, { faults: [{ ...moved, untilMs: 45 }] })).toEqual(['S2']);
  });

  it('T7: refuses a hand-over that overlaps with work that had not settled', () => {
    const { b, ledger } = good();
    // Trust was last seen until 120, and the work settled only at 205.
    const a = [claim(0), begin(1, 1, 120, 'sa'), write(11, 1, 'w1'), written(12, 'w1'), abort(100, 1, 'resigned')];
    const live = [extended(116, 'sa', 111), end(205, 1)];
    expect(rulesOf([...a, ...live], b, ledger)).toEqual(['T7']);
    // One that was sent a TTL before says nothing: the session may have expired, and the work of the next begun.
    const expired = [extended(115, 'sa', 110), end(205, 1)];
    expect(rulesOf([...a, ...expired], b, ledger)).toEqual([]);
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

  it('T4: refuses a unit of work after its signal has aborted, and one without any trust left', () => {
    const { a, b, ledger } = good();
    expect(rulesOf([...a.slice(0, 6), unit(150, 1, 151), end(152, 1)], b, ledger)).toEqual(['T4']);
    expect(rulesOf([...a.slice(0, 5), unit(150, 1, 150), end(152, 1)], b, ledger)).toEqual(['T4']);
    expect(rulesOf([...a.slice(0, 5), unit(149, 1, 150), end(152, 1)], b, ledger)).toEqual([]);
  });

  it('T4: refuses work that was not told of the end of its trust', () => {
    const { a, b, ledger } = good();
    const unheld = [...a.slice(0, 5), { kind: 'unheld', atMs: 151, group: 'g', term: 1 } as const];
    expect(rulesOf([...unheld, abort(152, 1, 'lost-trust'), end(153, 1)], b, ledger)).toEqual([]);
    expect(rulesOf([...unheld, { kind: 'untold', atMs: 191, group: 'g', term: 1 }, end(192, 1)], b, ledger)).toEqual(['T4']);
  });

  it('T7: refuses a unit of work after the end of its work', () => {
    const { a, b, ledger } = good();
    expect(rulesOf([...a, unit(155, 1, 160)], b, ledger)).toEqual(['T7']);
  });

  it('T10: refuses work that was never begun', () => {
    const { a, b, ledger } = good();
    expect(rulesOf(a, [unit(190, 7, 191), ...b], ledger)).toContain('T10');
  });

  it('L2: refuses a term that nobody was granted, and accepts one that was granted and never worked under', () => {
    const { a, ledger } = good();
    const later = [begin(200, 4, 300, 'sb'), write(211, 4, 'w2'), written(212, 'w2'), end(230, 4)];
    const rows = [ledger[0]!, row('w2', 4, 'sb')];
    const answered = [claim(160), claimed(161, 160), claim(162), claimed(163, 162), claim(164), claimed(165, 164, 4)];
    const before = [claim(0), claimed(1, 0, 1), ...a.slice(1)];
    // Claims that were refused explain nothing, however many there were.
    expect(rulesOf(before, [...answered, ...later], rows)).toEqual(['L2']);
    const granted = [claim(160), claimed(161, 160, 2), claim(162), claimed(163, 162, 3), claim(164), claimed(165, 164, 4)];
    expect(rulesOf(before, [...granted, ...later], rows)).toEqual([]);
    // Two were passed over; nobody knows what came of one claim, or of two.
    expect(rulesOf(before, [claim(160), ...later], rows)).toEqual(['L2']);
    expect(rulesOf(before, [claim(160), claim(161), ...later], rows)).toEqual([]);
    // One that was sent long before may have landed late; one that was sent afterwards has not.
    expect(rulesOf([claim(-5), ...before], [claim(160), ...later], rows)).toEqual([]);
    expect(rulesOf(before, [claim(160), ...later, claim(231)], rows)).toEqual(['L2']);
  });

  it('L2: a claim of unknown outcome explains one term, once', () => {
    const a = [claim(0), claimed(1, 0, 1), begin(1, 1, 50, 'sa'), end(40, 1), claim(41)];
    const b = [begin(60, 3, 90, 'sb'), end(80, 3), begin(100, 5, 190, 'sb'), end(180, 5)];
    expect(rulesOf(a, b.slice(0, 2), [])).toEqual([]);
    expect(rulesOf(a, b, [])).toEqual(['L2']);
  });

  it('T6: refuses a term that was granted to two sessions, whoever worked under it', () => {
    const { a, b, ledger } = good();
    const told = (session: string, term: number, atMs = 155): HistoryRecord[] => [claim(atMs, session), claimed(atMs + 1, atMs, term)];
    expect(rulesOf([...a, ...told('sa', 2)], [...told('sb', 2), ...b.slice(1)], ledger)).toEqual(['T6']);
    expect(rulesOf(a, [...told('sb', 2), ...told('sb', 2, 157), ...b.slice(1)], ledger)).toEqual([]);
  });

  it('refuses an acknowledged write that is lost', () => {
    const { a, b, ledger } = good();
    expect(rulesOf(a, b, ledger.slice(1))).toEqual(['lost']);
    const histories = [
      { process: 'a.1', records: a },
      { process: 'b.2', records: b },
    ];
    // The ledger was read before the write, or after it; or it was not read.
    expect(check(histories, { rows: ledger.slice(0, 1), readAtMs: 211 }, LIMITS).violations).toEqual([]);
    expect(check(histories, { rows: ledger.slice(0, 1), readAtMs: 213 }, LIMITS).violations).toMatchObject([{ rule: 'lost' }]);
    expect(check(histories, null, LIMITS).violations).toEqual([]);
  });

  it('T8: refuses a refused write that is in the ledger, a write of a stranger, and one that is there twice', () => {
    const { a, b, ledger } = good();
    const late = [...a, write(205, 1, 'w3'), refused(206, 'w3')];
    expect(rulesOf(late, b, ledger)).toEqual([]);
    expect(verdict(late, b, ledger).staleRefusedCount).toBe(1);
    expect(rulesOf(late, b, [ledger[0]!, row('w3', 1, 'sa'), ledger[1]!])).toEqual(['T8', 'T8']);
    const byStranger = [...b, write(212, 2, 'w9')];
    expect(rulesOf(a, byStranger, [...ledger, row('w9', 2, 'nobody')])).toEqual(['T8']);
    expect(rulesOf(a, b, [...ledger, ledger[1]!])).toEqual(['T8']);
  });

  it('T8: refuses a ledger whose terms go back', () => {
    const { a, b, ledger } = good();
    expect(rulesOf(a, b, ledger.toReversed())).toEqual(['T8']);
  });

  it('T8: refuses a write that nobody sent', () => {
    const { a, b, ledger } = good();
    expect(rulesOf(a, b, [...ledger, row('w7', 2, 'sb')])).toEqual(['T8']);
  });

  describe('T9', () => {
    const limitMs = 30;

    it('refuses a group that has no leader for too long while nothing is broken', () => {
      const { a, b, ledger } = good();
      expect(rulesOf(a, b, ledger, { limitMs: 50 })).toEqual([]);
      expect(rulesOf(a, b, ledger, { limitMs })).toEqual(['T9']);
    });

    it('counts from when the others could lead', () => {
      const { a, b, ledger } = good();
      // The others can lead from the beginning of this fault on, or from its end.
      expect(rulesOf(a, b, ledger, { limitMs, faults: [fault(152, 195, 152)] })).toEqual(['T9']);
      expect(rulesOf(a, b, ledger, { limitMs, faults: [fault(152, 195, 195)] })).toEqual([]);
      expect(rulesOf(a, b, ledger, { limitMs, faults: [fault(152, 160, 160)] })).toEqual(['T9']);
    });

    it('counts again from each fault that begins', () => {
      const { a, b, ledger } = good();
      expect(rulesOf(a, b, ledger, { limitMs, faults: [fault(175, 176, 175)] })).toEqual([]);
    });

    it('says nothing while nobody is well, and while the machine stands still', () => {
      const { a, b, ledger } = good();
      const both = [fault(100, 195, 100), fault(120, 198, 120, { member: 'b' })];
      expect(rulesOf(a, b, ledger, { limitMs, faults: both })).toEqual([]);
      expect(rulesOf(a, b, ledger, { limitMs, faults: both.slice(0, 1) })).toEqual(['T9']);
      expect(rulesOf(a, b, ledger, { limitMs, stalls: [{ fromMs: 155, untilMs: 190 }] })).toEqual([]);
    });

    it('refuses a group that nobody ever leads', () => {
      const { a, b, ledger } = good();
      expect(rulesOf(a, b, ledger, { groups: ['g', 'never'] })).toEqual(['T9']);
      expect(rulesOf(a, b, ledger, { groups: ['g', 'never'], endedAtMs: 150 })).toEqual([]);
    });

    it('a leader that is trusted at the end of the run leads, also in the middle of a unit', () => {
      const { a, b, ledger } = good();
      const open = b.slice(0, -1);
      expect(rulesOf(a, [...open, trust(400, 'sb', 490)], ledger, { endedAtMs: 500 })).toEqual([]);
      expect(rulesOf(a, open, ledger, { endedAtMs: 600 })).toEqual(['T9']);
    });

    it('refuses a group that nobody leads at the end of the run', () => {
      const { a, b, ledger } = good();
      expect(rulesOf(a, b, ledger, { endedAtMs: 500 })).toEqual(['T9']);
    });
  });

  it('a write of unknown outcome may be there or not', () => {
    const { a, b, ledger } = good();
    const unknown = [...a.slice(0, 5), write(13, 1, 'w5'), ...a.slice(5)];
    expect(rulesOf(unknown, b, ledger)).toEqual([]);
    const seen = b.map((record): HistoryRecord => (record.kind === 'written' ? { ...record, earlierCount: 2 } : record));
    expect(rulesOf(unknown, seen, [ledger[0]!, row('w5', 1, 'sa'), ledger[1]!])).toEqual([]);
  });
});
