import { Scheduler as VirtualTime, VirtualClock } from '@wb/core/testing';
import type { Clock } from '@wb/core';
import { describe, expect, it } from 'vitest';
import { after } from './waiting.js';

/** A clock whose longest timer is 100 ms, as Node's is 24.8 days. */
function impatient(clock: VirtualClock): Clock {
  return { now: () => clock.now(), schedule: (delayMs, callback) => clock.schedule(Math.min(delayMs, 100), callback) };
}

describe('after', () => {
  it('waits for the whole delay, also when the clock has only shorter timers', async () => {
    const time = new VirtualTime();
    const clock = impatient(new VirtualClock(time));
    const calls: number[] = [];
    after(clock, 250, () => calls.push(time.nowMs));
    const cancelled = after(clock, 250, () => calls.push(-1));
    await time.runFor(150);
    cancelled.cancel();
    await time.runFor(1_000);
    expect(calls.map(Math.round)).toEqual([250]);
    expect(await time.step()).toBe(false);
  });
});
