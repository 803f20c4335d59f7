import { setImmediate, setTimeout } from 'node:timers/promises';
import { nowMs } from './machine-time.js';

/** Spreads work evenly over time. What is late catches up; what is early waits. */
export class Pace {
  readonly #perSecond: number;
  #startedAtMs = 0;
  #turnCount = 0;
  #isFullSpeed = false;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** Begins to count. */
  start(): void {
    this.#startedAtMs = nowMs();
    this.#turnCount = 0;
  }

  goFullSpeed(): void {
    this.#isFullSpeed = true;
  }

  /** Resolves when the next turn is due; never in the same turn of the event loop, so that the heartbeat gets its own. */
  async nextTurn(): Promise<void> {
    const waitMs = this.#startedAtMs + (this.#turnCount++ * 1_000) / this.#perSecond - nowMs();
    if (this.#isFullSpeed || waitMs <= 0) await setImmediate();
    else await setTimeout(waitMs);
  }
}
