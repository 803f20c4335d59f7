import type { Leader, LeadResult, Lease, Work } from './coordinator-types.js';
import { initialGroup, type GroupState, type HeldLease } from './group-machine.js';
import type { ResolvedLeadOptions } from './lead-options.js';
import type { GroupReason, YieldReason } from './reasons.js';
import { WorkRun, type RunEnd, type RunHost } from './work-run.js';

/** What the contentions need from the coordinator; one object for all of them. */
export interface ContentionHost {
  readonly memberId: string;
  handle(groupId: string, held: HeldLease): Lease;
  isHeld(groupId: string, held: HeldLease): boolean;
  onBeat(contention: Contention): void;
  /** A lease is over already, and nobody may have noticed: look at the clock. */
  onLapsed(): void;
  /** The work under `sessionId` has settled. */
  onSettled(contention: Contention, sessionId: string, error: unknown, failed: boolean): void;
}

/** One group that this coordinator contends for: its machine's state, the user's work, and the promise of `lead`. */
export class Contention implements RunHost {
  readonly groupId: string;
  readonly options: ResolvedLeadOptions;
  /** What `lead` returns. */
  readonly result: Promise<LeadResult<unknown>>;
  state: GroupState;
  /** Who leads as far as is known, when it is not this member. */
  leader: Leader | null = null;
  runCount = 0;
  /** What the work threw while it was settling: told with the next event. */
  settlingError: unknown;

  readonly #host: ContentionHost;
  readonly #work: Work<unknown>;
  #resolve!: (result: LeadResult<unknown> | Promise<never>) => void;
  #run: WorkRun | null = null;
  #outcome: { readonly term: number; readonly value: unknown } | { readonly error: unknown } | null = null;
  /** Those who wait for a hand-over; `null`: nobody. */
  #resignations: (() => void)[] | null = null;
  /** Those who wait for the end; `null`: nobody. */
  #finishListeners: (() => void)[] | null = null;
  #isFinished = false;

  constructor(host: ContentionHost, groupId: string, work: Work<unknown>, options: ResolvedLeadOptions, sessionId: string | null) {
    this.#host = host;
    this.groupId = groupId;
    this.options = options;
    this.#work = work;
    this.state = initialGroup(sessionId);
    this.result = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get memberId(): string {
    return this.#host.memberId;
  }

  /** The own lease, while it may be trusted: until it is released, or the store has said that it is not ours. */
  get lease(): HeldLease | null {
    const { state } = this;
    if (state.kind === 'leading') return state.lease;
    return state.kind === 'yielding' && state.phase === 'settling' && state.reason !== 'lost-lease' ? state.lease : null;
  }

  /** Starts the work under this lease. */
  start(held: HeldLease): void {
    this.#run = new WorkRun(this.groupId, held, this);
    this.#outcome = null;
    this.#run.start(this.#work);
  }

  /** Tells the work to stop. */
  abort(reason: YieldReason): void {
    this.#run?.abort(reason);
  }

  // ——— the run's host ———

  handle(held: HeldLease): Lease {
    return this.#host.handle(this.groupId, held);
  }

  isHeld(held: HeldLease): boolean {
    return this.#host.isHeld(this.groupId, held);
  }

  onBegin(): void {
    this.runCount += 1;
  }

  onBeat(run: WorkRun): void {
    if (this.#run === run) this.#host.onBeat(this);
  }

  onEnd({ term, sessionId }: HeldLease, end: RunEnd): void {
    this.#run = null;
    if (end.kind === 'lapsed') this.#host.onLapsed();
    else this.#outcome = end.kind === 'returned' ? { term, value: end.value } : { error: end.error };
    if (end.kind === 'threw') this.#host.onSettled(this, sessionId, end.error, true);
    else this.#host.onSettled(this, sessionId, undefined, false);
  }

  // ——— the ends ———

  /** Calls `listener` when the lease that is being yielded is released. */
  onResigned(listener: () => void): void {
    (this.#resignations ??= []).push(listener);
  }

  resigned(): void {
    const listeners = this.#resignations ?? [];
    this.#resignations = null;
    for (const listener of listeners) listener();
  }

  /** Calls `listener` when the contention is over, however. */
  onFinished(listener: () => void): void {
    if (this.#isFinished) listener();
    else (this.#finishListeners ??= []).push(listener);
  }

  /** Settles the promise of `lead`. */
  finish(reason: GroupReason): void {
    const outcome = this.#outcome;
    if (reason === 'work-failed' && outcome && 'error' in outcome) this.#resolve(rejected(outcome.error));
    else if (reason === 'work-ended' && outcome && 'value' in outcome) this.#resolve({ reason, term: outcome.term, value: outcome.value });
    else this.#resolve({ reason: reason === 'stopped' ? 'stopped' : 'closed' });
    this.#isFinished = true;
    for (const listener of this.#finishListeners ?? []) listener();
    this.#finishListeners = null;
  }
}

/** One function to settle the promise of `lead` is kept for each group, not two. */
async function rejected(error: unknown): Promise<never> {
  throw error;
}
