import { describe, expect, it } from 'vitest';
import { termRecords, type TermRow } from './term-records.js';

const row = (fields: Partial<TermRow>): TermRow => ({
  groupId: 'g',
  term: 1,
  sessionId: 's',
  memberId: 'm',
  beganAgoMs: 1_000,
  endedAgoMs: null,
  endReason: null,
  stands: 0,
  closed: null,
  sessionEndedAgoMs: null,
  ...fields,
});

const ends = (rows: readonly TermRow[]): unknown[] => termRecords(rows).map(({ endedAgoMs, endReason }) => [endedAgoMs, endReason]);

describe('the records of terms', () => {
  it('H2: a term that stands has no end', () => {
    expect(ends([row({ stands: 1, closed: 0, sessionEndedAgoMs: -5_000 })])).toEqual([[null, null]]);
  });

  it('H2: what was noted is believed', () => {
    expect(ends([row({ endedAgoMs: '300', endReason: 'resigned', closed: 0, sessionEndedAgoMs: -5_000 })])).toEqual([[300, 'resigned']]);
  });

  it("H2: without a note the session's end is the term's", () => {
    expect(ends([row({ closed: 1, sessionEndedAgoMs: 200 })])).toEqual([[200, 'expired']]);
    expect(ends([row({ closed: 2, sessionEndedAgoMs: '200' })])).toEqual([[200, 'closed']]);
    expect(ends([row({ closed: 0, sessionEndedAgoMs: 200 })])).toEqual([[200, 'expired']]);
  });

  it('H2: a term ends when the next begins, at the latest', () => {
    expect(ends([row({ term: 2, beganAgoMs: 100, stands: 1 }), row({ beganAgoMs: 900 })])).toEqual([
      [null, null],
      [100, 'expired'],
    ]);
    expect(ends([row({ term: 2, beganAgoMs: 100, stands: 1 }), row({ closed: 0, sessionEndedAgoMs: -50 })])).toEqual([
      [null, null],
      [100, 'expired'],
    ]);
  });

  it('H2: the end of a term whose session was forgotten is not known, if nothing came after it', () => {
    expect(ends([row({})])).toEqual([[null, 'expired']]);
  });

  it('H1: another group is no successor', () => {
    expect(ends([row({ groupId: 'a', beganAgoMs: 100, stands: 1 }), row({ groupId: 'b' })])).toEqual([
      [null, null],
      [null, 'expired'],
    ]);
  });

  it('a clock that was set back makes no ages below 0, and no term that ends before it begins', () => {
    expect(termRecords([row({ beganAgoMs: -20, endedAgoMs: 50 })])).toMatchObject([{ beganAgoMs: 0, endedAgoMs: 0 }]);
  });
});
