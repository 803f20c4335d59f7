import { describe, expect, it } from 'vitest';
import { historyTable } from './history.js';

/** Noon of 2 January 2030. */
const AT = 1893585600000;

describe('the history of a group, as a table', () => {
  it('shows who leads, who led, and what is not known any more', () => {
    const lease = { groupId: 'g', sessionId: 's' };
    expect(
      historyTable(
        [
          { ...lease, term: 3, memberId: 'ada', beganAgoMs: 1_500, endedAgoMs: null, endReason: null },
          { ...lease, term: 2, memberId: 'bob', beganAgoMs: 3_600_000, endedAgoMs: 2_000, endReason: 'resigned' },
          { ...lease, term: 1, memberId: 'c\u001b[31m', beganAgoMs: 7_200_000, endedAgoMs: null, endReason: 'expired' },
        ],
        AT,
      ),
    ).toBe(
      [
        'TERM  MEMBER  FROM (UTC)               UNTIL (UTC)              LED FOR  ENDED BY',
        '3     ada     2030-01-02 11:59:58.500  –                        1.5 s    –',
        '2     bob     2030-01-02 11:00:00.000  2030-01-02 11:59:58.000  60 min   resigned',
        '1     c�[31m  2030-01-02 10:00:00.000  –                        ?        expired',
      ].join('\n'),
    );
  });
});
