import type { CoordinatorEvent, CoordinatorEventKind } from './events.js';
import { Fifo } from './fifo.js';

type Listener = (event: CoordinatorEvent) => void;

/**
 * Delivers events to listeners and iterators, in order and without loss (T11). Listeners are called from a microtask of their own, never from
 * inside the machine; what a listener throws becomes an uncaught exception of the process, as with any callback, and hinders no other listener.
 */
export class EventStream {
  readonly #listeners = new Map<CoordinatorEventKind, Set<Listener>>();
  readonly #iterators = new Set<BufferedIterator<CoordinatorEvent>>();
  readonly #queue = new Fifo<CoordinatorEvent>();
  #isFlushing = false;
  #isClosed = false;

  emit(event: CoordinatorEvent): void {
    for (const iterator of this.#iterators) iterator.push(event);
    if (this.#listeners.size === 0) return;
    this.#queue.push(event);
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(() => this.#flush());
  }

  on<K extends CoordinatorEventKind>(kind: K, listener: (event: Extract<CoordinatorEvent, { kind: K }>) => void): () => void {
    const listeners = this.#listeners.get(kind) ?? new Set<Listener>();
    this.#listeners.set(kind, listeners);
    // One registration is one entry, also when the same function is registered twice.
    const entry: Listener = (event) => listener(event as Extract<CoordinatorEvent, { kind: K }>);
    listeners.add(entry);
    return () => {
      listeners.delete(entry);
      if (listeners.size === 0 && this.#listeners.get(kind) === listeners) this.#listeners.delete(kind);
    };
  }

  iterate(): AsyncIterableIterator<CoordinatorEvent> {
    const iterator = new BufferedIterator<CoordinatorEvent>(() => this.#iterators.delete(iterator));
    if (this.#isClosed) iterator.end();
    else this.#iterators.add(iterator);
    return iterator;
  }

  /** Iterators end when they have given out what they hold. */
  close(): void {
    this.#isClosed = true;
    for (const iterator of this.#iterators) iterator.end();
    this.#iterators.clear();
  }

  #flush(): void {
    while (this.#queue.size > 0) {
      const event = this.#queue.take();
      for (const listener of [...(this.#listeners.get(event.kind) ?? [])]) {
        try {
          listener(event);
        } catch (error) {
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    }
    this.#isFlushing = false;
  }
}

/** An async iterator over what is pushed, with a buffer without limit: the reader's slowness is the reader's memory, never a lost value. */
export class BufferedIterator<T> implements AsyncIterableIterator<T> {
  readonly #buffer = new Fifo<T>();
  readonly #waiting: ((result: IteratorResult<T>) => void)[] = [];
  readonly #onReturn: () => void;
  #isEnded = false;

  constructor(onReturn: () => void) {
    this.#onReturn = onReturn;
  }

  push(value: T): void {
    if (this.#isEnded) return;
    const waiting = this.#waiting.shift();
    if (waiting) waiting({ value, done: false });
    else this.#buffer.push(value);
  }

  end(): void {
    this.#isEnded = true;
    for (const waiting of this.#waiting.splice(0)) waiting({ value: undefined, done: true });
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#buffer.size > 0) return Promise.resolve({ value: this.#buffer.take(), done: false });
    if (this.#isEnded) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  return(): Promise<IteratorResult<T>> {
    this.#buffer.clear();
    this.end();
    this.#onReturn();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
