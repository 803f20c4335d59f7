import type { Clock } from '@wb/core';

/** How long one may keep the write lock from others, in one piece or in many, before it is left free for a moment, in ms. */
const BURST_MS = 100;
/** How long it is left free, in ms: somewhat longer than a call of any store waits between two attempts (`LONGEST_PAUSE_MS` of the client), so that each gets one in. */
const BREAK_MS = 30;

/**
 * When transactions that follow one another have to leave the write lock alone. Between the commit of one and the beginning of the next there is no time at all: whoever polls for the lock, a heartbeat of another process or of this one, would
 * never find it free, and timers of this process would not even run.
 */
export class LockBreaks {
  readonly #clock: Clock;
  /** How long the lock was held since it was last left free, in ms. */
  #heldMs = 0;
  #freeSinceMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How long to leave the lock free from now on, before it is taken again, in ms. Whoever asks does so. */
  dueMs(): number {
    const freeMs = this.#clock.now().monotonicMs - this.#freeSinceMs;
    const isDue = this.#heldMs >= BURST_MS;
    if (isDue || freeMs >= BREAK_MS) this.#heldMs = 0;
    return isDue ? Math.max(0, BREAK_MS - freeMs) : 0;
  }

  /** The lock was held since `sinceMs` of the monotonic clock, and is free now. */
  held(sinceMs: number): void {
    const nowMs = this.#clock.now().monotonicMs;
    this.#heldMs += nowMs - sinceMs;
    this.#freeSinceMs = nowMs;
  }
}
