import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Scheduler } from './scheduler.js';

describe('the scheduler', () => {
  it('runs events in the order of time, and of scheduling where the time is the same', async () => {
    const scheduler = new Scheduler();
    const log: string[] = [];
    for (const [name, delayMs] of [
      ['c', 20],
      ['a', 10],
      ['d', 20],
      ['b', 10],
    ] as const) {
      scheduler.schedule(delayMs, () => log.push(`${name} ${scheduler.nowMs}`));
    }
    await scheduler.runFor(20);
    expect(log).toEqual(['a 10', 'b 10', 'c 20', 'd 20']);
  });

  it('sorts any number of events, like a stable sort', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(30), { maxLength: 100, size: 'max' }), async (delays) => {
        const scheduler = new Scheduler();
        const ran: { at: number; index: number }[] = [];
        delays.forEach((delayMs, index) => scheduler.schedule(delayMs, () => ran.push({ at: scheduler.nowMs, index })));
        await scheduler.runFor(30);
        const expected = delays.map((at, index) => ({ at, index })).toSorted((a, b) => a.at - b.at || a.index - b.index);
        expect(ran).toEqual(expected);
      }),
      { numRuns: 25 },
    );
  });

  it('lets every promise settle before the next event', async () => {
    const scheduler = new Scheduler();
    const log: string[] = [];
    const work = async (name: string): Promise<void> => {
      for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
      log.push(name);
    };
    scheduler.schedule(5, () => void work('first'));
    scheduler.schedule(5, () => log.push('second'));
    await scheduler.runFor(5);
    expect(log).toEqual(['first', 'second']);
  });

  it('stops at the end of its time, which is then that end', async () => {
    const scheduler = new Scheduler();
    let ranCount = 0;
    scheduler.schedule(10, () => {
      ranCount += 1;
      scheduler.schedule(10, () => {
        ranCount += 1;
      });
    });
    await scheduler.runUntil(19);
    expect([scheduler.nowMs, ranCount]).toEqual([19, 1]);
    await scheduler.runFor(1);
    expect([scheduler.nowMs, ranCount]).toEqual([20, 2]);
    await scheduler.runUntil(5);
    expect(scheduler.nowMs).toBe(20);
  });

  it('steps one event at a time, and tells when there is none', async () => {
    const scheduler = new Scheduler();
    scheduler.schedule(10, () => undefined);
    scheduler.schedule(5, () => undefined).cancel();
    expect(await scheduler.step(9)).toBe(false);
    expect(scheduler.nowMs).toBe(9);
    expect(await scheduler.step()).toBe(true);
    expect(scheduler.nowMs).toBe(10);
    expect(await scheduler.step()).toBe(false);
    expect(scheduler.nowMs).toBe(10);
  });

  it('never runs what was cancelled, and a cancel after the fact is harmless', async () => {
    const scheduler = new Scheduler();
    const log: string[] = [];
    const early = scheduler.schedule(1, () => log.push('early'));
    const late = scheduler.schedule(2, () => log.push('late'));
    await scheduler.runFor(1);
    early.cancel();
    late.cancel();
    await scheduler.runFor(10);
    expect(log).toEqual(['early']);
  });

  it('what is scheduled for the past runs next, and time does not go back', async () => {
    const scheduler = new Scheduler();
    await scheduler.runFor(100);
    let atMs = 0;
    scheduler.schedule(-50, () => {
      atMs = scheduler.nowMs;
    });
    await scheduler.step();
    expect(atMs).toBe(100);
  });

  it('checks after each event what the caller wants, and passes its complaint on', async () => {
    const scheduler = new Scheduler();
    const seen: number[] = [];
    for (const delayMs of [1, 2, 3]) scheduler.schedule(delayMs, () => undefined);
    const check = (): void => {
      seen.push(scheduler.nowMs);
      if (scheduler.nowMs === 2) throw new Error('broken at 2');
    };
    await expect(scheduler.runFor(10, check)).rejects.toThrow('broken at 2');
    expect(seen).toEqual([1, 2]);
  });
});
