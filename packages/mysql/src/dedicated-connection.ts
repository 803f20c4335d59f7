import type { Clock } from '@wb/core';
import type { CallEnd } from './call-end.js';
import type { BorrowedConnection } from './connection-source.js';
import type { StepResults } from './mysql-client.js';
import { toStoreError } from './mysql-errors.js';
import { decodeRows, type Step } from './mysql-statement.js';
import { sendQuery } from './send-query.js';

/** A connection of the store's own that is kept for long. After a fault it is of no use any more. */
export class DedicatedConnection {
  readonly #operation: string;
  readonly #borrowed: BorrowedConnection;
  readonly #end: CallEnd;
  readonly #clock: Clock;

  /** @param end Is over when the store closes, or with {@link destroy}. */
  constructor(operation: string, borrowed: BorrowedConnection, end: CallEnd, clock: Clock) {
    this.#operation = operation;
    this.#borrowed = borrowed;
    this.#end = end;
    this.#clock = clock;
  }

  /** Sends at least two steps, each for itself, in one packet; after `limitMs` without the whole answer the peer counts as gone. */
  async ask<const Steps extends readonly [Step<unknown>, Step<unknown>, ...Step<unknown>[]]>(
    steps: Steps,
    limitMs: number,
  ): Promise<StepResults<Steps>> {
    const timer = this.#clock.schedule(limitMs, () => this.#end.close());
    try {
      const results = (await sendQuery(this.#borrowed, this.#end, steps.map(({ sql }) => sql).join(';\n'))) as readonly unknown[];
      return steps.map(({ columns }, at) => (columns === null ? 0 : decodeRows(columns, results[at]))) as unknown as StepResults<Steps>;
    } catch (error) {
      this.destroy();
      throw toStoreError(this.#operation, error, 'sent');
    } finally {
      timer.cancel();
    }
  }

  /** Resolves after `delayMs`. @throws `StoreError` as soon as the connection is destroyed. */
  async pause(delayMs: number): Promise<void> {
    let forget: (() => void) | undefined;
    await new Promise<void>((resolve) => {
      const timer = this.#clock.schedule(delayMs, resolve);
      forget = this.#end.onOver(() => {
        timer.cancel();
        resolve();
      });
    });
    // The connection outlives millions of pauses.
    forget?.();
    this.#end.assertGoingOn();
  }

  /** Ends it at once, whatever it is doing. Idempotent. */
  destroy(): void {
    this.#end.close();
    this.#end.dispose();
    this.#borrowed.destroy();
  }
}
