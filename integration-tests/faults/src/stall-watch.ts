import { nowMs } from './machine-time.js';

const EVERY_MS = 50;
/** How late the driver's timer must be for it to be the machine's fault, in ms. */
const STALL_MS = 400;

/** Notes when the machine itself stood still: then nobody could do anything, and nothing can be said about how long it took. */
export class StallWatch {
  readonly stalls: { readonly fromMs: number; readonly untilMs: number }[] = [];
  readonly #timer: NodeJS.Timeout;
  #lastMs = nowMs();

  constructor() {
    this.#timer = setInterval(() => {
      const atMs = nowMs();
      if (atMs - this.#lastMs > EVERY_MS + STALL_MS) this.stalls.push({ fromMs: this.#lastMs, untilMs: atMs });
      this.#lastMs = atMs;
    }, EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
