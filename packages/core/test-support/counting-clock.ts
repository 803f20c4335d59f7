import type { Clock, LocalInstant, Timer } from '../src/clock.js';

/** A clock that counts its timers: those that wait, those that were ever set, and those whose callback has run. */
export class CountingClock implements Clock {
  waitingCount = 0;
  setCount = 0;
  firedCount = 0;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): LocalInstant {
    return this.#clock.now();
  }

  schedule(delayMs: number, callback: () => void): Timer {
    let isWaiting = true;
    const settle = (): void => {
      if (isWaiting) this.waitingCount -= 1;
      isWaiting = false;
    };
    this.waitingCount += 1;
    this.setCount += 1;
    const timer = this.#clock.schedule(delayMs, () => {
      settle();
      this.firedCount += 1;
      callback();
    });
    return {
      cancel: () => {
        settle();
        timer.cancel();
      },
    };
  }
}
