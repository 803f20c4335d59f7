/** The users' signals that stop contentions: one listener for each signal, however many groups it stops. */
export class StopSignals {
  readonly #stops = new Map<AbortSignal, Set<() => void>>();

  /** Calls `stop` when `signal` aborts, unless the returned function is called before. */
  add(signal: AbortSignal, stop: () => void): () => void {
    const known = this.#stops.get(signal);
    const stops = known ?? new Set();
    stops.add(stop);
    if (!known) {
      this.#stops.set(signal, stops);
      signal.addEventListener('abort', this.#onAbort);
    }
    return () => {
      stops.delete(stop);
      if (stops.size > 0) return;
      this.#stops.delete(signal);
      signal.removeEventListener('abort', this.#onAbort);
    };
  }

  readonly #onAbort = (event: Event): void => {
    for (const stop of [...(this.#stops.get(event.currentTarget as AbortSignal) ?? [])]) stop();
  };
}
