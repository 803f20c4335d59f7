import type { WorkContext } from '../src/coordinator-types.js';

/** One run of a {@link ScriptedWork}, from its start until it settles. */
export interface Run {
  readonly context: WorkContext;
  readonly startedAtMs: number;
  isSettled: boolean;
  end(value?: unknown): void;
  fail(error: unknown): void;
}

/** Work that does as the test says. It settles when its signal aborts, unless it is deaf. */
export class ScriptedWork {
  readonly runs: Run[] = [];
  readonly #nowMs: () => number;
  readonly #isDeaf: boolean;

  constructor(nowMs: () => number, isDeaf: boolean = false) {
    this.#nowMs = nowMs;
    this.#isDeaf = isDeaf;
  }

  /** The last run. */
  get run(): Run {
    const last = this.runs.at(-1);
    if (!last) throw new Error('the work was never started');
    return last;
  }

  get isRunning(): boolean {
    return this.runs.some((run) => !run.isSettled);
  }

  readonly start = (context: WorkContext): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const run: Run = {
        context,
        startedAtMs: this.#nowMs(),
        isSettled: false,
        end: (value) => {
          run.isSettled = true;
          resolve(value);
        },
        fail: (error) => {
          run.isSettled = true;
          reject(error);
        },
      };
      this.runs.push(run);
      if (!this.#isDeaf) context.signal.addEventListener('abort', () => run.end());
    });
}
