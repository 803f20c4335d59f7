/**
 * The only file that reads a clock or sets a timer: everything else is given a {@link Clock}, so that a simulation can
 * drive it (lint forbids the globals elsewhere).
 *
 * @module
 */

/**
 * One moment by both local clocks (T3). The monotonic clock may stand still while a machine sleeps; the wall clock may
 * be set. Either may say that a deadline has passed; then it has. Never sent to a store, never compared with its time (T1).
 */
export interface LocalInstant {
  /** Milliseconds of a clock that never goes back. Its zero means nothing. */
  readonly monotonicMs: number;
  /** Milliseconds since 1970 by the machine's clock. */
  readonly wallMs: number;
}

/** A timer that can be taken back. */
export interface Timer {
  /** Idempotent. */
  cancel(): void;
}

/** Where local time comes from. Give your own in tests: see `@wb/core/testing`. */
export interface Clock {
  now(): LocalInstant;
  /** Calls `callback` once, `delayMs` (0 and more) from now by the monotonic clock, or later. */
  schedule(delayMs: number, callback: () => void): Timer;
}

/** Node refuses longer timers; a wake-up in between is harmless. */
const MAX_DELAY_MS = 2_147_483_647;

/** A timer that is later than that comes after something has kept the event loop busy, in ms. */
const LATE_MS = 20;

/** The clocks of this machine. */
export const systemClock: Clock = Object.freeze({
  now: (): LocalInstant => ({ monotonicMs: performance.now(), wallMs: Date.now() }),
  schedule: (delayMs: number, callback: () => void): Timer => {
    const lateFromMs = performance.now() + delayMs + LATE_MS;
    let immediate: NodeJS.Immediate | undefined;
    const onTime = (): void => {
      if (performance.now() < lateFromMs) callback();
      // Node runs timers before it reads from sockets. An answer that came in while the loop was busy goes before the deadline that it has kept.
      else immediate = setImmediate(callback);
    };
    // Node truncates fractions and would fire early.
    const timeout = setTimeout(onTime, Math.min(Math.ceil(delayMs), MAX_DELAY_MS));
    return {
      cancel: (): void => {
        clearTimeout(timeout);
        clearImmediate(immediate);
      },
    };
  },
});

/** Resolves when every microtask that waits now, and those that they cause, have run. For deterministic schedulers. */
export function microtasksDone(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
