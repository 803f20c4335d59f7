import type { Progress } from './fault-run-result.js';
import { nowMs } from './machine-time.js';

/** How often a line is written where nobody can overwrite it, in ms. */
const LOG_EVERY_MS = 15_000;

/** How the runs go: a line for each target, renewed in place on a terminal; elsewhere a line now and then. */
export class ProgressLines {
  readonly #lines: Map<string, string>;
  readonly #loggedAtMs = new Map<string, number>();
  #isShown = false;

  constructor(targets: readonly string[]) {
    this.#lines = new Map(targets.map((target) => [target, `${target}: starts`]));
  }

  show(target: string, { elapsedMs, faultCount, takeoverCount, violationCount, last }: Progress, durationMs: number): void {
    const counts = `${faultCount} faults, ${takeoverCount} takeovers${violationCount === 0 ? '' : `, ${violationCount} VIOLATIONS`}`;
    const line = `${target.padEnd(10)} ${minutes(elapsedMs)} of ${minutes(durationMs)}  ${counts}  ${last}`;
    this.#lines.set(target, line);
    if (process.stderr.isTTY) this.#draw();
    else if (nowMs() - (this.#loggedAtMs.get(target) ?? -Infinity) > LOG_EVERY_MS) {
      this.#loggedAtMs.set(target, nowMs());
      process.stderr.write(`${line}\n`);
    }
  }

  end(): void {
    if (this.#isShown) process.stderr.write(`\u001B[${this.#lines.size}A\u001B[J`);
  }

  #draw(): void {
    const width = process.stderr.columns;
    const up = this.#isShown ? `\u001B[${this.#lines.size}A` : '';
    this.#isShown = true;
    process.stderr.write(`${up}${[...this.#lines.values()].map((line) => `\u001B[K${line.slice(0, width - 1)}\n`).join('')}`);
  }
}

function minutes(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
