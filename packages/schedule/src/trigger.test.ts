import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { instantOfText, isoOf } from './clock.js';
import { atTrigger, boundedTrigger, cronTrigger, everyTrigger, MAX_COUNTED, type Trigger } from './trigger.js';

const at = (text: string): number => instantOfText(text)!;

/** The next `count` times after an instant. */
function times(trigger: Trigger, after: string, count: number): string[] {
  const seen: string[] = [];
  for (let next = trigger.next(at(after), 0); next !== null && seen.length < count; next = trigger.next(next, 0)) seen.push(isoOf(next));
  return seen.map((text) => text.replace(':00.000Z', 'Z'));
}

describe('an interval', () => {
  it('counts from its anchor, which is its first time, and never drifts', () => {
    const every = everyTrigger(15_000, Number.NEGATIVE_INFINITY);
    expect(every.next(500, 1_000)).toBe(1_000);
    expect(every.next(1_000, 1_000)).toBe(16_000);
    // However late the last one was.
    expect(every.next(44_999, 1_000)).toBe(46_000);
    expect(every.next(46_000, 1_000)).toBe(61_000);
  });

  it('knows what came between two instants as if it had counted', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: -100, max: 100 }),
        fc.integer({ min: -100, max: 300 }),
        fc.integer({ min: 0, max: 400 }),
        fc.integer({ min: 1, max: 9 }),
        (everyMs, anchor, after, span, keep) => {
          const every = everyTrigger(everyMs, anchor);
          const counted: number[] = [];
          for (let next = every.next(after, anchor)!; next <= after + span; next = every.next(next, anchor)!) counted.push(next);
          expect(every.due(after, after + span, anchor, keep)).toEqual({
            lastMs: counted.slice(-keep),
            count: counted.length,
            firstMs: counted[0] ?? null,
            isExact: true,
          });
        },
      ),
    );
  });
});

describe('one instant', () => {
  it('comes once', () => {
    const once = atTrigger(1_000);
    expect(once.next(999, 0)).toBe(1_000);
    expect(once.next(1_000, 0)).toBeNull();
    expect(once.due(0, 999, 0, 1).count).toBe(0);
    expect(once.due(0, 5_000, 0, 1)).toEqual({ lastMs: [1_000], count: 1, firstMs: 1_000, isExact: true });
    expect(once.due(1_000, 5_000, 0, 1).count).toBe(0);
  });
});

describe('a cron pattern', () => {
  it('F6: means the zone that it is given, wherever it runs', () => {
    expect(times(cronTrigger('0 9 * * *', 'UTC'), '2026-01-01T00:00:00Z', 2)).toEqual(['2026-01-01T09:00Z', '2026-01-02T09:00Z']);
    expect(times(cronTrigger('0 9 * * *', 'Asia/Kolkata'), '2026-01-01T00:00:00Z', 2)).toEqual(['2026-01-01T03:30Z', '2026-01-02T03:30Z']);
  });

  it('DST: a daily time that is skipped comes at the first instant after the gap, and is back the next day', () => {
    // In Berlin 02:00 became 03:00 on 29 March 2026, at 01:00 UTC; in New York on 8 March, at 07:00 UTC.
    expect(times(cronTrigger('30 2 * * *', 'Europe/Berlin'), '2026-03-27T12:00:00Z', 3)).toEqual([
      '2026-03-28T01:30Z',
      '2026-03-29T01:00Z',
      '2026-03-30T00:30Z',
    ]);
    expect(times(cronTrigger('30 2 * * *', 'America/New_York'), '2026-03-07T12:00:00Z', 2)).toEqual([
      '2026-03-08T07:00Z',
      '2026-03-09T06:30Z',
    ]);
  });

  it('DST: a daily time that comes twice is the first of both, once', () => {
    // In Berlin 03:00 became 02:00 on 25 October 2026, at 01:00 UTC.
    expect(times(cronTrigger('30 2 * * *', 'Europe/Berlin'), '2026-10-23T12:00:00Z', 4)).toEqual([
      '2026-10-24T00:30Z',
      '2026-10-25T00:30Z',
      '2026-10-26T01:30Z',
      '2026-10-27T01:30Z',
    ]);
  });

  it('DST: what comes every hour comes every hour', () => {
    const hourly = cronTrigger('0 * * * *', 'Europe/Berlin');
    expect(times(hourly, '2026-03-29T00:00:00Z', 2)).toEqual(['2026-03-29T01:00Z', '2026-03-29T02:00Z']);
    expect(times(hourly, '2026-10-24T23:30:00Z', 3)).toEqual(['2026-10-25T00:00Z', '2026-10-25T01:00Z', '2026-10-25T02:00Z']);
  });

  it('DST: of a pattern of several hours a time comes as often as it is on the clock', () => {
    const some = cronTrigger('30 1,2 * * *', 'Europe/Berlin');
    expect(times(some, '2026-03-28T22:31:00Z', 3)).toEqual(['2026-03-29T00:30Z', '2026-03-29T23:30Z', '2026-03-30T00:30Z']);
    expect(times(some, '2026-10-24T22:31:00Z', 4)).toEqual([
      '2026-10-24T23:30Z',
      '2026-10-25T00:30Z',
      '2026-10-25T01:30Z',
      '2026-10-26T00:30Z',
    ]);
  });

  it('DST: a midnight that does not exist comes at the first instant after the gap', () => {
    // In Santiago 24:00 of 5 September 2026 became 01:00, at 04:00 UTC; in Beirut 24:00 of 28 March, at 22:00 UTC.
    expect(times(cronTrigger('0 0 * * *', 'America/Santiago'), '2026-09-05T00:00:00Z', 3)).toEqual([
      '2026-09-05T04:00Z',
      '2026-09-06T04:00Z',
      '2026-09-07T03:00Z',
    ]);
    expect(times(cronTrigger('0 0 * * *', 'Asia/Beirut'), '2026-03-27T00:00:00Z', 3)).toEqual([
      '2026-03-27T22:00Z',
      '2026-03-28T22:00Z',
      '2026-03-29T21:00Z',
    ]);
  });

  it('DST: a list of minutes is no daily time: out in an hour that is skipped, twice in one that comes twice', () => {
    const list = cronTrigger('0,30 2 * * *', 'Europe/Berlin');
    expect(times(list, '2026-03-28T01:15:00Z', 3)).toEqual(['2026-03-28T01:30Z', '2026-03-30T00:00Z', '2026-03-30T00:30Z']);
    expect(times(list, '2026-10-24T12:00:00Z', 5)).toEqual([
      '2026-10-25T00:00Z',
      '2026-10-25T00:30Z',
      '2026-10-25T01:00Z',
      '2026-10-25T01:30Z',
      '2026-10-26T01:00Z',
    ]);
  });

  it('is strictly after an instant, also within its second', () => {
    const daily = cronTrigger('30 2 * * *', 'UTC');
    const time = at('2026-05-01T02:30:00Z');
    expect(daily.next(time - 1, 0)).toBe(time);
    expect(daily.next(time, 0)).toBe(time + 86_400_000);
    expect(daily.next(time + 500, 0)).toBe(time + 86_400_000);
  });

  it('knows what came between two instants', () => {
    const daily = cronTrigger('30 2 * * *', 'Europe/Berlin');
    const due = daily.due(at('2026-10-23T12:00:00Z'), at('2026-10-26T01:30:00Z'), 0, 2);
    expect(due).toEqual({
      lastMs: [at('2026-10-25T00:30:00Z'), at('2026-10-26T01:30:00Z')],
      count: 3,
      firstMs: at('2026-10-24T00:30:00Z'),
      isExact: true,
    });
    expect(daily.due(at('2026-10-26T01:30:00Z'), at('2026-10-26T12:00:00Z'), 0, 2).count).toBe(0);
  });

  it('does not count for ever: after a long time it finds the last ones from the end', () => {
    const eachSecond = cronTrigger('* * * * * *', 'UTC');
    const due = eachSecond.due(at('2026-01-01T00:00:00Z'), at('2026-06-01T00:00:00Z') + 300, 0, 3);
    expect(due).toEqual({
      lastMs: [-2, -1, 0].map((by) => at('2026-06-01T00:00:00Z') + by * 1_000),
      count: MAX_COUNTED,
      firstMs: at('2026-01-01T00:00:01Z'),
      isExact: false,
    });
  });
});

describe('a long backlog of a cron pattern', () => {
  it('of more than are kept it is known that there are more, however many are kept', () => {
    const eachSecond = cronTrigger('* * * * * *', 'UTC');
    const due = eachSecond.due(at('2026-01-01T00:00:00Z'), at('2026-01-01T01:00:00Z'), 0, MAX_COUNTED);
    expect([due.lastMs.length, due.count, due.isExact]).toEqual([MAX_COUNTED, MAX_COUNTED + 1, false]);
    expect(due.lastMs.at(-1)).toBe(at('2026-01-01T01:00:00Z'));
  });
});

describe('bounds', () => {
  it('both ends are times themselves', () => {
    const bounded = boundedTrigger(everyTrigger(10, 0), 20, 40);
    expect(bounded.next(-100, 0)).toBe(20);
    expect(bounded.next(30, 0)).toBe(40);
    expect(bounded.next(40, 0)).toBeNull();
    expect(bounded.due(-100, 1_000, 0, 9).lastMs).toEqual([20, 30, 40]);
  });
});
