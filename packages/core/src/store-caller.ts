import type { Clock } from './clock.js';
import { StoreError, WbError } from './errors.js';
import type { EventStream } from './event-stream.js';

/**
 * Makes store calls that settle within their deadline, whatever the store does (T5), and reports faults and recovery (F17).
 */
export class StoreCaller {
  readonly #clock: Clock;
  readonly #events: EventStream;
  readonly #aborts = new Set<AbortController>();
  #failureCount = 0;
  #fault: Error | null = null;

  constructor(clock: Clock, events: EventStream) {
    this.#clock = clock;
    this.#events = events;
  }

  /** What the last call failed with; `null` if it went well. */
  get fault(): Error | null {
    return this.#fault;
  }

  /**
   * Calls the store. The signal aborts at the deadline; the promise settles then, also if the store does not heed it, and
   * whatever the store answers later is dropped: its outcome is unknown.
   * @param scope Ends the call early when its answer no longer matters; that is no fault.
   * @throws {@link StoreError} only.
   */
  async call<T>(operation: string, deadlineMs: number, send: (signal: AbortSignal) => Promise<T>, scope?: AbortSignal): Promise<T> {
    const abort = new AbortController();
    const onScopeEnd = (): void => abort.abort(scope?.reason);
    scope?.addEventListener('abort', onScopeEnd);
    this.#aborts.add(abort);
    const timer = this.#clock.schedule(deadlineMs, () => {
      abort.abort(new StoreError('STORE_TIMEOUT', `\`${operation}\` had no answer within ${deadlineMs} ms`, { isRetryable: true }));
    });
    try {
      const result = await new Promise<T>((resolve, reject) => {
        abort.signal.addEventListener('abort', () => reject(abort.signal.reason));
        send(abort.signal).then(resolve, reject);
      });
      this.#wentWell(operation);
      return result;
    } catch (error) {
      const fault = toStoreError(operation, error);
      if (scope?.aborted !== true) this.#failed(operation, fault);
      throw fault;
    } finally {
      timer.cancel();
      this.#aborts.delete(abort);
      scope?.removeEventListener('abort', onScopeEnd);
    }
  }

  /** Ends the calls that are under way. */
  abortAll(reason: StoreError): void {
    for (const abort of this.#aborts) abort.abort(reason);
  }

  #wentWell(operation: string): void {
    this.#fault = null;
    if (this.#failureCount === 0) return;
    this.#events.emit({ kind: 'store-recovered', operation, failureCount: this.#failureCount });
    this.#failureCount = 0;
  }

  #failed(operation: string, error: StoreError): void {
    this.#fault = error;
    this.#failureCount += 1;
    this.#events.emit({ kind: 'store-fault', operation, error, failureCount: this.#failureCount });
  }
}

function toStoreError(operation: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new StoreError('STORE_FAULT', `\`${operation}\` failed: ${message}`, {
    cause: error,
    isRetryable: error instanceof WbError && error.isRetryable,
  });
}
