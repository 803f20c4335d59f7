import type { Clock, Timer } from './clock.js';
import { Fifo } from './fifo.js';

/** What the loop drives. Instants are on the monotonic clock. */
export interface Due {
  /** Handles what is due at `nowMs`; whether to go on at once. What is still due then is handled in another turn of the event loop. */
  runDue(nowMs: number): boolean;
  /** When something is due next; `Infinity`: not before another event. */
  nextDueMs(nowMs: number): number;
}

/** Handles events one after another, then whatever has become due, and owns the one timer that wakes it. */
export class MachineLoop {
  readonly #clock: Clock;
  readonly #due: Due;
  /** Events wait here while another is being handled: user code that runs inside one (an abort listener) may cause the next. */
  readonly #queue = new Fifo<() => void>();
  readonly #delayed = new Set<Timer>();
  #isDraining = false;
  #isStopped = false;
  #timer: { readonly atMs: number; readonly timer: Timer } | null = null;

  constructor(clock: Clock, due: Due) {
    this.#clock = clock;
    this.#due = due;
  }

  /** Handles `event` after those that wait. */
  enter(event: () => void): void {
    this.#queue.push(event);
    if (this.#isDraining) return;
    this.#isDraining = true;
    try {
      do {
        while (this.#queue.size > 0) this.#queue.take()();
        while (this.#due.runDue(this.#clock.now().monotonicMs));
      } while (this.#queue.size > 0);
    } finally {
      this.#isDraining = false;
      this.#arm();
    }
  }

  /** Handles `event` in `delayMs`, unless the loop is stopped before. */
  later(delayMs: number, event: () => void): void {
    if (this.#isStopped) return;
    const timer = this.#clock.schedule(delayMs, () => {
      this.#delayed.delete(timer);
      this.enter(event);
    });
    this.#delayed.add(timer);
  }

  /** Takes all timers back, for good: an event that comes later (the end of a call that was under way) is handled and sets none. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.timer.cancel();
    this.#timer = null;
    for (const timer of this.#delayed) timer.cancel();
    this.#delayed.clear();
  }

  #arm(): void {
    if (this.#isStopped) return;
    const nowMs = this.#clock.now().monotonicMs;
    const atMs = this.#due.nextDueMs(nowMs);
    // A timer that comes too early does no harm; setting one anew for every event would.
    if (this.#timer !== null && this.#timer.atMs <= atMs) return;
    this.#timer?.timer.cancel();
    this.#timer = null;
    if (atMs === Infinity) return;
    const timer = this.#clock.schedule(Math.max(0, atMs - nowMs), () => {
      this.#timer = null;
      this.enter(() => undefined);
    });
    this.#timer = { atMs, timer };
  }
}
