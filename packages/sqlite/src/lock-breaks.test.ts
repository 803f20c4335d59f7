import { Scheduler, VirtualClock } from '@wb/core/testing';
import { describe, expect, it } from 'vitest';
import { LockBreaks } from './lock-breaks.js';

describe('breaks of the write lock', () => {
  /** Transactions, each as long as it says, one right after the other but for the breaks that are due: how long each of those was. */
  async function breaksOf(durationsMs: readonly number[], idleMs = 0): Promise<readonly number[]> {
    const scheduler = new Scheduler();
    const clock = new VirtualClock(scheduler);
    const breaks = new LockBreaks(clock);
    const due: number[] = [];
    for (const durationMs of durationsMs) {
      const dueMs = breaks.dueMs();
      due.push(Math.round(dueMs));
      await scheduler.runFor(dueMs);
      const sinceMs = clock.now().monotonicMs;
      await scheduler.runFor(durationMs);
      breaks.held(sinceMs);
      await scheduler.runFor(idleMs);
    }
    return due;
  }

  it('come after 100 ms of lock, last 30 ms, and the count begins anew', async () => {
    expect(await breaksOf(Array.from({ length: 12 }, () => 25))).toEqual([0, 0, 0, 0, 30, 0, 0, 0, 30, 0, 0, 0]);
    expect(await breaksOf([500, 1, 1])).toEqual([0, 30, 0]);
  });

  it('are shorter by as long as the lock was free already, and are not needed if it was free for as long', async () => {
    expect(await breaksOf([200, 200, 200], 20)).toEqual([0, 10, 10]);
    expect(await breaksOf([200, 60, 60, 60], 40)).toEqual([0, 0, 0, 0]);
  });
});
