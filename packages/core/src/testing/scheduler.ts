import { microtasksDone, type Timer } from '../clock.js';

interface Entry {
  readonly atMs: number;
  readonly order: number;
  callback: (() => void) | null;
}

/**
 * Virtual time, and everything that is to happen in it: one event after the other, in the order of time and then of
 * scheduling; after each, all promises that it moved have settled before the next. So a program that takes its time from here runs the same
 * way each time, as fast as the machine can.
 */
export class Scheduler {
  #nowMs = 0;
  #order = 0;
  readonly #heap: Entry[] = [];

  /** Virtual time, in ms from the start. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Calls `callback` once, `delayMs` from now. */
  schedule(delayMs: number, callback: () => void): Timer {
    const entry: Entry = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order, callback };
    this.#order += 1;
    this.#push(entry);
    return {
      cancel: () => {
        entry.callback = null;
      },
    };
  }

  /** Runs the next event and lets everything settle. Resolves `false` when there is none until `untilMs`; time is then `untilMs`, if that is finite. */
  async step(untilMs: number = Number.POSITIVE_INFINITY): Promise<boolean> {
    for (;;) {
      const entry = this.#heap[0];
      if (entry === undefined || entry.atMs > untilMs) {
        if (Number.isFinite(untilMs)) this.#nowMs = Math.max(this.#nowMs, untilMs);
        return false;
      }
      this.#pop();
      const { callback } = entry;
      if (callback === null) continue;
      entry.callback = null;
      this.#nowMs = entry.atMs;
      callback();
      await microtasksDone();
      return true;
    }
  }

  /** Runs everything up to `untilMs`, an instant of virtual time. `afterEach` may check what must hold. */
  async runUntil(untilMs: number, afterEach?: () => void): Promise<void> {
    // What the caller did just before may have promises to settle, and timers to set.
    await microtasksDone();
    while (await this.step(untilMs)) afterEach?.();
  }

  /** Runs everything of the next `durationMs`. */
  async runFor(durationMs: number, afterEach?: () => void): Promise<void> {
    await this.runUntil(this.#nowMs + durationMs, afterEach);
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (isBefore(heap[parent]!, entry)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    const size = heap.length;
    if (size === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (isBefore(last, heap[child]!)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
