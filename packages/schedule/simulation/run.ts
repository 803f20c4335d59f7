import type { Random, VirtualClock } from '@wb/core/testing';
import type { JobContext } from '../src/index.js';

/** What a run does with its time. */
export type Habit =
  | 'quick'
  /** Takes its time, notes how far it has come, and throws when it is aborted. */
  | 'slow'
  | 'throws'
  /** Never settles. */
  | 'hangs'
  /** Takes its time, and looks at nothing. */
  | 'deaf';

/** Options of {@link Run}. */
export interface RunOptions {
  readonly context: JobContext;
  readonly habit: Habit;
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly ttlMs: number;
  readonly onNote: (value: number, state: 'sent' | 'acknowledged') => void;
}

/** One run of a job's work. */
export class Run {
  readonly context: JobContext;
  readonly habit: Habit;
  readonly #options: RunOptions;

  constructor(options: RunOptions) {
    this.context = options.context;
    this.habit = options.habit;
    this.#options = options;
  }

  async work(): Promise<void> {
    const { random, ttlMs } = this.#options;
    switch (this.habit) {
      case 'quick':
        return await this.#pause(random.between(0, 5));
      case 'throws':
        await this.#pause(random.between(0, ttlMs / 8));
        throw new Error('the work failed');
      case 'slow':
        return await this.#takeLong(random.between(0, 1.5 * ttlMs));
      case 'deaf':
        return await this.#pause(random.between(0, 1.5 * ttlMs), true);
      case 'hangs':
        return await new Promise(() => undefined);
    }
  }

  async #takeLong(forMs: number): Promise<void> {
    const { random, context, ttlMs, onNote } = this.#options;
    let noted = typeof context.lastCheckpoint === 'number' ? context.lastCheckpoint : 0;
    for (let leftMs = forMs; leftMs > 0;) {
      const stepMs = Math.min(leftMs, random.between(1, ttlMs / 5));
      await this.#pause(stepMs);
      leftMs -= stepMs;
      if (!random.chance(0.6)) continue;
      noted += 1;
      onNote(noted, 'sent');
      await context.checkpoint(noted);
      onNote(noted, 'acknowledged');
    }
  }

  async #pause(forMs: number, isDeaf: boolean = false): Promise<void> {
    const { clock, context } = this.#options;
    const { signal } = context;
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        timer.cancel();
        reject(signal.reason as Error);
      };
      const timer = clock.schedule(forMs, () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      });
      if (isDeaf) return;
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort);
    });
  }
}
