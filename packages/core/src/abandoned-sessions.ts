import type { Clock } from './clock.js';
import type { LeaseStore } from './lease-store.js';
import { retryDelayMs } from './session-machine.js';
import type { StoreCaller } from './store-caller.js';
import type { Timings } from './timings.js';

/**
 * Closes sessions that are over for this process and perhaps still live in the store, for as long as their groups would have no leader (T9): a heartbeat whose answer came too late has extended them by another TTL; or another server answers, and
 * they are not its own, although it knows them (T6). Not before their work has settled (T7).
 */
export class AbandonedSessions {
  readonly #store: LeaseStore;
  readonly #caller: StoreCaller;
  readonly #clock: Clock;
  readonly #timings: Timings;
  readonly #random: () => number;
  /** How much work of each session has not settled. */
  readonly #workCounts = new Map<string, number>();
  /** Sessions that wait for their work, with when they have expired by themselves, on the monotonic clock. */
  readonly #waiting = new Map<string, number>();
  readonly #closing = new Set<Promise<void>>();
  #isFinishing = false;

  constructor(store: LeaseStore, caller: StoreCaller, clock: Clock, timings: Timings, random: () => number) {
    this.#store = store;
    this.#caller = caller;
    this.#clock = clock;
    this.#timings = timings;
    this.#random = random;
  }

  workStarted(sessionId: string): void {
    this.#workCounts.set(sessionId, (this.#workCounts.get(sessionId) ?? 0) + 1);
  }

  workSettled(sessionId: string): void {
    const count = this.#workCounts.get(sessionId)! - 1;
    if (count > 0) this.#workCounts.set(sessionId, count);
    else this.#workCounts.delete(sessionId);
    this.#closeIfSettled(sessionId);
  }

  /** The session is lost. */
  abandon(sessionId: string): void {
    // A heartbeat that is still under way may take effect until its deadline, and then holds for a TTL.
    this.#waiting.set(sessionId, this.#clock.now().monotonicMs + this.#timings.ttlMs + this.#timings.callDeadlineMs);
    this.#closeIfSettled(sessionId);
  }

  /** Stops to repeat what fails, and resolves when nothing is under way. What is not closed by then is left to expire. */
  async finish(): Promise<void> {
    this.#isFinishing = true;
    while (this.#closing.size > 0) await Promise.all(this.#closing);
  }

  #closeIfSettled(sessionId: string): void {
    const untilMs = this.#waiting.get(sessionId);
    if (untilMs === undefined || this.#workCounts.has(sessionId)) return;
    this.#waiting.delete(sessionId);
    const closing = this.#close(sessionId, untilMs).finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  async #close(sessionId: string, untilMs: number): Promise<void> {
    for (let failureCount = 1; this.#clock.now().monotonicMs < untilMs; failureCount += 1) {
      try {
        await this.#caller.call('closeSession', this.#timings.callDeadlineMs, (signal) => this.#store.closeSession(sessionId, { signal }));
        return;
      } catch {
        // Reported by the caller.
      }
      if (this.#isFinishing) return;
      await new Promise<void>((resolve) => {
        this.#clock.schedule(retryDelayMs(failureCount, this.#random(), this.#timings), resolve);
      });
    }
  }
}
