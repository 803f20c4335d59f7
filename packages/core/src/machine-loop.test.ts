import { describe, expect, it } from 'vitest';
import { CountingClock } from '../test-support/counting-clock.js';
import { MachineLoop } from './machine-loop.js';
import { Scheduler, VirtualClock } from './testing/index.js';

/** A loop whose due instants the test decides. */
class Bench {
  readonly scheduler = new Scheduler();
  readonly clock = new CountingClock(new VirtualClock(this.scheduler));
  readonly log: string[] = [];
  readonly due: number[] = [];
  readonly loop = new MachineLoop(this.clock, {
    runDue: (nowMs) => {
      const next = this.due[0];
      if (next === undefined || next > nowMs) return false;
      this.due.shift();
      this.log.push(`due ${next}`);
      return true;
    },
    nextDueMs: () => this.due[0] ?? Number.POSITIVE_INFINITY,
  });
}

describe('the loop', () => {
  it('handles an event that another one causes after it, not within', () => {
    const { loop, log } = new Bench();
    loop.enter(() => {
      log.push('first begins');
      loop.enter(() => log.push('second'));
      log.push('first ends');
    });
    expect(log).toEqual(['first begins', 'first ends', 'second']);
  });

  it('handles what is due after each burst of events, and events that this causes', () => {
    const { loop, log, due } = new Bench();
    due.push(0, 0);
    loop.enter(() => loop.enter(() => log.push('second')));
    expect(log).toEqual(['second', 'due 0', 'due 0']);
  });

  it('wakes by itself when the next thing is due, with one timer', async () => {
    const { loop, log, due, scheduler, clock } = new Bench();
    due.push(100, 200, 300);
    loop.enter(() => undefined);
    expect(clock.waitingCount).toBe(1);
    await scheduler.runFor(250);
    expect(log).toEqual(['due 100', 'due 200']);
    expect(clock.waitingCount).toBe(1);
    expect(clock.setCount).toBe(3);
  });

  it('sets its timer anew when something is due sooner, and not when later', async () => {
    const { loop, log, due, scheduler, clock } = new Bench();
    due.push(500);
    loop.enter(() => undefined);
    due.unshift(50);
    loop.enter(() => undefined);
    expect(clock.setCount).toBe(2);
    expect(clock.waitingCount).toBe(1);
    due.splice(0, 2, 400);
    for (let event = 0; event < 100; event += 1) loop.enter(() => undefined);
    expect(clock.setCount).toBe(2);
    await scheduler.runFor(450);
    expect(log).toEqual(['due 400']);
  });

  it('goes on after an event that throws, which its sender hears of', async () => {
    const { loop, log, due, scheduler } = new Bench();
    due.push(10);
    expect(() =>
      loop.enter(() => {
        throw new Error('a bug');
      }),
    ).toThrow('a bug');
    loop.enter(() => log.push('next'));
    await scheduler.runFor(20);
    expect(log).toEqual(['next', 'due 10']);
  });

  it('handles an event later', async () => {
    const { loop, log, scheduler } = new Bench();
    loop.later(30, () => log.push('later'));
    await scheduler.runFor(29);
    expect(log).toEqual([]);
    await scheduler.runFor(2);
    expect(log).toEqual(['later']);
  });

  it('sets no timer any more once it is stopped, whatever comes', async () => {
    const { loop, log, due, scheduler, clock } = new Bench();
    due.push(100);
    loop.enter(() => undefined);
    loop.later(50, () => log.push('later'));
    loop.stop();
    expect(clock.waitingCount).toBe(0);
    loop.enter(() => log.push('late answer'));
    loop.later(10, () => log.push('later still'));
    expect(clock.waitingCount).toBe(0);
    await scheduler.runFor(1_000);
    expect(log).toEqual(['late answer']);
  });
});
