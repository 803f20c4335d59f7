import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Scheduler } from './scheduler.js';
import { VirtualClock } from './virtual-clock.js';

function bench(options?: ConstructorParameters<typeof VirtualClock>[1]): {
  readonly scheduler: Scheduler;
  readonly clock: VirtualClock;
  readonly log: string[];
} {
  const scheduler = new Scheduler();
  return { scheduler, clock: new VirtualClock(scheduler, options), log: [] };
}

describe('a virtual clock', () => {
  it('shows virtual time, and the wall time that it was given', async () => {
    const { scheduler, clock } = bench({ wallMs: 1_000_000 });
    expect(clock.now()).toEqual({ monotonicMs: 0, wallMs: 1_000_000 });
    await scheduler.runFor(250);
    expect(clock.now()).toEqual({ monotonicMs: 250, wallMs: 1_000_250 });
  });

  it('may run too fast or too slow, its timers with it', async () => {
    const { scheduler, clock, log } = bench({ rate: 2 });
    clock.schedule(100, () => log.push(`fired at ${Math.round(scheduler.nowMs)}`));
    await scheduler.runFor(200);
    expect(clock.now().monotonicMs).toBe(400);
    expect(log).toEqual(['fired at 50']);
  });

  it('never fires a timer early by its own time, whatever the rate', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.double({ min: 0.5, max: 2, noNaN: true }),
        fc.double({ min: 0, max: 1e4, noNaN: true }),
        async (rate, delayMs) => {
          const { scheduler, clock } = bench({ rate });
          await scheduler.runFor(123.456);
          const setAtMs = clock.now().monotonicMs;
          let firedAtMs = Number.NaN;
          clock.schedule(delayMs, () => {
            firedAtMs = clock.now().monotonicMs;
          });
          await scheduler.step();
          expect(firedAtMs - setAtMs).toBeGreaterThanOrEqual(delayMs);
          expect(firedAtMs - setAtMs).toBeLessThan(delayMs + 0.01);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('may have its wall clock set, which moves no timer', async () => {
    const { scheduler, clock, log } = bench();
    clock.schedule(100, () => log.push('fired'));
    clock.jump(3_600_000);
    expect(clock.now()).toEqual({ monotonicMs: 0, wallMs: 3_600_000 });
    clock.jump(-7_200_000);
    expect(clock.now().wallMs).toBe(-3_600_000);
    await scheduler.runFor(99);
    expect(log).toEqual([]);
    await scheduler.runFor(2);
    expect(log).toEqual(['fired']);
  });

  it('a timer that is cancelled never fires', async () => {
    const { scheduler, clock, log } = bench();
    const timer = clock.schedule(10, () => log.push('fired'));
    timer.cancel();
    timer.cancel();
    await scheduler.runFor(100);
    expect(log).toEqual([]);
  });
});

describe('a process that is paused', () => {
  it('does what came due when it goes on, each as an event of its own, in order', async () => {
    const { scheduler, clock, log } = bench();
    for (const delayMs of [10, 20, 30, 1_000]) clock.schedule(delayMs, () => log.push(`${delayMs} at ${Math.floor(scheduler.nowMs)}`));
    await scheduler.runFor(15);
    clock.pause();
    expect(clock.isPaused).toBe(true);
    clock.whenRunning(() => log.push('an answer'));
    await scheduler.runFor(100);
    expect(log).toEqual(['10 at 10']);
    clock.resume();
    expect(clock.isPaused).toBe(false);
    expect(log).toEqual(['10 at 10']);
    await scheduler.runFor(1);
    expect(log).toEqual(['10 at 10', 'an answer', '20 at 115', '30 at 115']);
  });

  it('has its clocks go on, when it was stopped (SIGSTOP)', async () => {
    const { scheduler, clock } = bench();
    clock.pause();
    await scheduler.runFor(100);
    expect(clock.now()).toEqual({ monotonicMs: 100, wallMs: 100 });
    clock.resume();
    expect(clock.now()).toEqual({ monotonicMs: 100, wallMs: 100 });
  });

  it('T3: has its monotonic clock stand still, when the machine slept', async () => {
    const { scheduler, clock } = bench();
    await scheduler.runFor(50);
    clock.pause(true);
    await scheduler.runFor(100);
    expect(clock.now()).toEqual({ monotonicMs: 50, wallMs: 150 });
    clock.resume();
    await scheduler.runFor(10);
    expect(clock.now()).toEqual({ monotonicMs: 60, wallMs: 160 });
    clock.pause(true);
    await scheduler.runFor(5);
    clock.resume();
    expect(clock.now()).toEqual({ monotonicMs: 60, wallMs: 165 });
  });

  it('may be paused again before it has caught up, and loses nothing', async () => {
    const { scheduler, clock, log } = bench();
    clock.schedule(10, () => log.push('fired'));
    clock.pause();
    await scheduler.runFor(20);
    clock.resume();
    clock.pause();
    await scheduler.runFor(20);
    expect(log).toEqual([]);
    clock.resume();
    await scheduler.runFor(1);
    expect(log).toEqual(['fired']);
  });

  it('does not fire a timer that is cancelled before it goes on', async () => {
    const { scheduler, clock, log } = bench();
    const timer = clock.schedule(10, () => log.push('fired'));
    clock.pause();
    await scheduler.runFor(20);
    timer.cancel();
    clock.resume();
    await scheduler.runFor(10);
    expect(log).toEqual([]);
  });

  it('resuming one that runs changes nothing', () => {
    const { clock } = bench();
    clock.resume();
    expect(clock.isPaused).toBe(false);
  });
});

describe('a process that is killed', () => {
  it('does nothing any more, whether it ran or was paused', async () => {
    for (const isPaused of [false, true]) {
      const { scheduler, clock, log } = bench();
      clock.schedule(10, () => log.push('fired'));
      if (isPaused) clock.pause();
      await scheduler.runFor(isPaused ? 20 : 5);
      clock.kill();
      clock.resume();
      clock.whenRunning(() => log.push('an answer'));
      await scheduler.runFor(100);
      expect(log).toEqual([]);
    }
  });
});
