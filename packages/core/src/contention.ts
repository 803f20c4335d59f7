import type { Leader, LeadResult, Lease, Work, WorkContext } from './coordinator-types.js';
import { initialGroup, type GroupState, type HeldLease } from './group-machine.js';
import type { ResolvedLeadOptions } from './lead-options.js';
import { LeadershipEndedError, type GroupReason, type YieldReason } from './reasons.js';

/** What a run needs from the coordinator. */
export interface RunHost {
  readonly memberId: string;
  readonly lease: Lease;
  onBeat(): void;
  /** The lease is over already, and nobody may have noticed: look at the clock. */
  onLapsed(): void;
  onSettled(error: unknown, failed: boolean): void;
}

/** One group that this coordinator contends for: its machine's state, the user's work, and the promise of `lead`. */
export class Contention {
  readonly groupId: string;
  readonly options: ResolvedLeadOptions;
  /** What `lead` returns. */
  readonly result: Promise<LeadResult<unknown>>;
  /** Resolves when the contention is over, however; never rejects. */
  readonly finished: Promise<void>;
  state: GroupState;
  /** Who leads as far as is known, when it is not this member. */
  leader: Leader | null = null;
  runCount = 0;
  /** What the work threw while it was settling: told with the next event. */
  settlingError: unknown;
  /** Those who wait for a hand-over. */
  readonly resignations: ((released: boolean) => void)[] = [];

  readonly #work: Work<unknown>;
  #resolve!: (result: LeadResult<unknown>) => void;
  #reject!: (error: unknown) => void;
  #run: { readonly term: number; readonly abort: AbortController } | null = null;
  #outcome: { readonly term: number; readonly value: unknown } | { readonly error: unknown } | null = null;

  constructor(groupId: string, work: Work<unknown>, options: ResolvedLeadOptions, sessionId: string | null) {
    this.groupId = groupId;
    this.options = options;
    this.#work = work;
    this.state = initialGroup(sessionId);
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.finished = this.result.then(
      () => undefined,
      () => undefined,
    );
  }

  /** The own lease, while it may be trusted: until it is released, or the store has said that it is not ours. */
  get lease(): HeldLease | null {
    const { state } = this;
    if (state.kind === 'leading') return state.lease;
    return state.kind === 'yielding' && state.phase === 'settling' && state.reason !== 'lost-lease' ? state.lease : null;
  }

  /** Starts the work in a microtask of its own, if it is still to lead and the lease is held then (F15), and reports its end whatever it is. */
  start({ term }: HeldLease, host: RunHost): void {
    const run = { term, abort: new AbortController() };
    this.#run = run;
    this.#outcome = null;
    const context = {
      groupId: this.groupId,
      term,
      memberId: host.memberId,
      signal: run.abort.signal,
      lease: host.lease,
      beat: (): void => {
        if (this.#run === run) host.onBeat();
      },
    };
    void this.#runWork(context, host);
  }

  async #runWork(context: WorkContext, host: RunHost): Promise<void> {
    // Ten thousand groups may have been granted at once, and the works of the others may have kept the process busy until now.
    await Promise.resolve();
    if (context.signal.aborted || !context.lease.isHeld()) {
      host.onLapsed();
      this.#run = null;
      host.onSettled(undefined, false);
      return;
    }
    this.runCount += 1;
    let failure: { readonly error: unknown } | null = null;
    try {
      this.#outcome = { term: context.term, value: await this.#work(context) };
    } catch (error) {
      failure = { error };
      this.#outcome = failure;
    }
    this.#run = null;
    host.onSettled(failure?.error, failure !== null);
  }

  /** Tells the work to stop. */
  abort(reason: YieldReason): void {
    const run = this.#run;
    run?.abort.abort(new LeadershipEndedError(this.groupId, run.term, reason));
  }

  /** Settles the promise of `lead`. */
  finish(reason: GroupReason): void {
    const outcome = this.#outcome;
    if (reason === 'work-failed' && outcome && 'error' in outcome) this.#reject(outcome.error);
    else if (reason === 'work-ended' && outcome && 'value' in outcome) this.#resolve({ reason, term: outcome.term, value: outcome.value });
    else this.#resolve({ reason: reason === 'stopped' ? 'stopped' : 'closed' });
  }
}
