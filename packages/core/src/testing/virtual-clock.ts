import type { Clock, LocalInstant, Timer } from '../clock.js';
import type { Scheduler } from './scheduler.js';

/** Options of {@link VirtualClock}. */
export interface VirtualClockOptions {
  /** How fast the monotonic clock runs against virtual time. Default: 1. Range: above 0. */
  readonly rate?: number;
  /** What the wall clock shows at the start, in ms since 1970. Default: 0. */
  readonly wallMs?: number;
}

/**
 * The clocks of one virtual machine. They may run at a wrong rate; the wall clock may be set; the process may be paused, with
 * the monotonic clock going on (SIGSTOP) or standing still (a suspended machine). What comes due while it is paused happens when it goes on.
 */
export class VirtualClock implements Clock {
  readonly #scheduler: Scheduler;
  readonly #rate: number;
  #wallOffsetMs: number;
  /** How long the monotonic clock has stood still so far, in virtual ms. */
  #stoodStillMs = 0;
  #pause: { readonly sinceMs: number; readonly isSuspended: boolean; readonly waiting: (() => void)[] } | null = null;
  #isStopped = false;

  constructor(scheduler: Scheduler, options: VirtualClockOptions = {}) {
    this.#scheduler = scheduler;
    this.#rate = options.rate ?? 1;
    this.#wallOffsetMs = options.wallMs ?? 0;
  }

  get isPaused(): boolean {
    return this.#pause !== null;
  }

  now(): LocalInstant {
    const { nowMs } = this.#scheduler;
    const stillMs = this.#stoodStillMs + (this.#pause?.isSuspended === true ? nowMs - this.#pause.sinceMs : 0);
    return { monotonicMs: (nowMs - stillMs) * this.#rate, wallMs: nowMs * this.#rate + this.#wallOffsetMs };
  }

  schedule(delayMs: number, callback: () => void): Timer {
    let isCancelled = false;
    // Whole microseconds, rounded up: a timer that fires a rounding error too early would be set again for ever.
    const virtualMs = Math.ceil((delayMs / this.#rate) * 1_000 + 1) / 1_000;
    const timer = this.#scheduler.schedule(virtualMs, () => {
      this.whenRunning(() => {
        if (!isCancelled) callback();
      });
    });
    return {
      cancel: () => {
        isCancelled = true;
        timer.cancel();
      },
    };
  }

  /** Calls `callback` now, or when the process goes on; never, if it is dead. */
  whenRunning(callback: () => void): void {
    if (this.#isStopped) return;
    if (this.#pause === null) callback();
    else this.#pause.waiting.push(callback);
  }

  /** Stops the process. `isSuspended`: the machine sleeps, and its monotonic clock stands still; the wall clock goes on in any case. */
  pause(isSuspended: boolean = false): void {
    this.#pause ??= { sinceMs: this.#scheduler.nowMs, isSuspended, waiting: [] };
  }

  /** Goes on: everything that came due meanwhile happens, each as an event of its own, in its order. */
  resume(): void {
    const pause = this.#pause;
    if (pause === null) return;
    if (pause.isSuspended) this.#stoodStillMs += this.#scheduler.nowMs - pause.sinceMs;
    this.#pause = null;
    for (const callback of pause.waiting) this.#scheduler.schedule(0, () => this.whenRunning(callback));
  }

  /** Sets the wall clock forward, or back with a negative number. */
  jump(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** The process is dead: nothing that it waits for will ever happen. */
  kill(): void {
    this.#isStopped = true;
    this.#pause = null;
  }
}
