import type { Lease, Work, WorkContext } from './coordinator-types.js';
import type { HeldLease } from './group-machine.js';
import { LeadershipEndedError, type YieldReason } from './reasons.js';

/** How a run of the work ended. */
export type RunEnd =
  /** It never began: the lease was over by then (F15). */
  | { readonly kind: 'lapsed' }
  | { readonly kind: 'returned'; readonly value: unknown }
  | { readonly kind: 'threw'; readonly error: unknown };

/** What a run needs from those who started it. */
export interface RunHost {
  readonly memberId: string;
  handle(held: HeldLease): Lease;
  isHeld(held: HeldLease): boolean;
  onBegin(): void;
  onBeat(run: WorkRun): void;
  onEnd(held: HeldLease, end: RunEnd): void;
}

/**
 * One run of the user's work under one lease, and the context that the work gets.
 *
 * A process may hold ten thousand leases. What few works use costs much (an `AbortSignal` more than all the rest of a group together), and so is made when it is first read:
 * `signal`, `lease` and `beat` are accessors, of the object itself, so that `{ ...context }` and `const { signal } = context` do what one expects of a plain object.
 */
export class WorkRun implements WorkContext {
  readonly groupId: string;
  readonly term: number;
  readonly memberId: string;
  declare readonly signal: AbortSignal;
  declare readonly lease: Lease;
  declare readonly beat: () => void;

  readonly #held: HeldLease;
  readonly #host: RunHost;
  #abort: AbortController | null = null;
  #handle: Lease | null = null;
  #ended: LeadershipEndedError | null = null;

  constructor(groupId: string, held: HeldLease, host: RunHost) {
    this.groupId = groupId;
    this.term = held.term;
    this.memberId = host.memberId;
    this.#held = held;
    this.#host = host;
    Object.defineProperties(this, ACCESSORS);
  }

  /** Starts the work in a microtask of its own, if it is still to lead and the lease is held then (F15), and reports its end whatever it is. */
  start(work: Work<unknown>): void {
    // Ten thousand groups may have been granted at once, and the works of the others may have kept the process busy until then.
    queueMicrotask(() => {
      if (this.#ended !== null || !this.#host.isHeld(this.#held)) this.#host.onEnd(this.#held, { kind: 'lapsed' });
      else this.#run(work);
    });
  }

  /** Tells the work to stop. */
  abort(reason: YieldReason): void {
    this.#ended ??= new LeadershipEndedError(this.groupId, this.term, reason);
    this.#abort?.abort(this.#ended);
  }

  #run(work: Work<unknown>): void {
    this.#host.onBegin();
    let result: unknown;
    try {
      result = work(this);
    } catch (error) {
      this.#host.onEnd(this.#held, { kind: 'threw', error });
      return;
    }
    Promise.resolve(result).then(
      (value) => this.#host.onEnd(this.#held, { kind: 'returned', value }),
      (error: unknown) => this.#host.onEnd(this.#held, { kind: 'threw', error }),
    );
  }

  static signalOf(run: WorkRun): AbortSignal {
    if (run.#abort === null) {
      run.#abort = new AbortController();
      if (run.#ended !== null) run.#abort.abort(run.#ended);
    }
    return run.#abort.signal;
  }

  static leaseOf(run: WorkRun): Lease {
    return (run.#handle ??= run.#host.handle(run.#held));
  }

  static beatOf(run: WorkRun): () => void {
    return () => run.#host.onBeat(run);
  }
}

/** The same functions for every run: the engine keeps them once, in the objects' common shape. */
const ACCESSORS: PropertyDescriptorMap & ThisType<WorkRun> = {
  signal: {
    enumerable: true,
    get() {
      return WorkRun.signalOf(this);
    },
  },
  lease: {
    enumerable: true,
    get() {
      return WorkRun.leaseOf(this);
    },
  },
  beat: {
    enumerable: true,
    get() {
      return WorkRun.beatOf(this);
    },
  },
};
