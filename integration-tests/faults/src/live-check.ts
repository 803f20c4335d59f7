import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { CheckLimits } from './checker.js';

/** What the thread is asked. */
export interface LiveCheckRequest {
  readonly histories: readonly { readonly process: string; readonly path: string }[];
  /** What is known of a moment, `endedAtMs`: the histories are checked up to that one. */
  readonly limits: CheckLimits;
}

/** Checks histories while they are written, in a thread of its own: the driver passes on what members and servers say to each other, and must not be kept from that. */
export class LiveCheck {
  readonly #worker = new Worker(new URL('./check-worker.js', import.meta.url));

  /** How many violations the histories show so far. One at a time. */
  async count(request: LiveCheckRequest): Promise<number> {
    const answer = once(this.#worker, 'message');
    this.#worker.postMessage(request);
    const [count] = (await answer) as [number];
    return count;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
