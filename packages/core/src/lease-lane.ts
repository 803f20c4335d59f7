import type { Clock, Timer } from './clock.js';
import { StoreError } from './errors.js';
import type { ClaimResult, HeldLeases, LeaseRelease, LeaseStore, LeaseView, ReleaseResult } from './lease-store.js';
import { retryDelayMs } from './session-machine.js';
import type { StoreCaller } from './store-caller.js';
import type { Timings } from './timings.js';

/** The largest batch of one call. */
const MAX_BATCH = 5_000;
/** Of a claim, which writes, and whose works begin when it is answered: while they do, the next one is under way. */
export const MAX_CLAIMS = 2_000;

/** Where the lane's definite answers go. `askedAtMs`, when the question went out, is on the monotonic clock. */
export interface LeaseLaneHandlers {
  onClaimed(sessionId: string, results: readonly ClaimResult[], askedAtMs: number): void;
  onReleased(sessionId: string, results: readonly ReleaseResult[]): void;
  onRead(sessionId: string, views: readonly LeaseView[], askedAtMs: number): void;
  onHeld(sessionId: string, held: HeldLeases): void;
}

/** What the lane stood at when a heartbeat was sent, to tell whether its grant count can be compared. */
export interface GrantMark {
  readonly epoch: number;
  readonly isClaiming: boolean;
}

type Job = 'release' | 'held' | 'claim' | 'read' | 'contend' | 'withdraw';

const JOBS: readonly Job[] = ['release', 'held', 'claim', 'read', 'contend', 'withdraw'];

/**
 * Sends everything about leases, one call at a time, batched, and repeats each until its answer is definite or its session is over (T5).
 * One at a time is what keeps the protocol simple: what waits meanwhile goes along with the next call.
 *
 * Two of the traps of `docs/protocol.md` are closed here: a group is not claimed while a release of it is unanswered (late release), and
 * the fresh grants that were told of are counted, so that a count of the store's that differs reveals one that nobody heard of (late claim).
 */
export class LeaseLane {
  readonly #store: LeaseStore;
  readonly #caller: StoreCaller;
  readonly #clock: Clock;
  readonly #timings: Timings;
  readonly #random: () => number;
  readonly #handlers: LeaseLaneHandlers;

  #sessionId: string | null = null;
  #scope = new AbortController();
  readonly #releases = new Map<string, LeaseRelease[]>();
  readonly #claims = new Set<string>();
  readonly #reads = new Set<string>();
  readonly #contends = new Set<string>();
  readonly #withdraws = new Set<string>();
  #wantsHeld = false;

  /** Fresh grants of this session that the store told us of. Only a `held` read sets it otherwise. */
  #grantCount = 0;
  #epoch = 0;
  #isClaiming = false;
  /** Since when no heartbeat's count could be compared. */
  #incomparableSinceMs: number | null = null;

  /** Grants that the handlers have not been told of yet. */
  #untold: { readonly tell: () => void; readonly timer: Timer } | null = null;
  #isBusy = false;
  #isPumpQueued = false;
  #retry: Timer | null = null;
  #failureCount = 0;
  #firstJob = 0;

  constructor(store: LeaseStore, caller: StoreCaller, clock: Clock, timings: Timings, random: () => number, handlers: LeaseLaneHandlers) {
    this.#store = store;
    this.#caller = caller;
    this.#clock = clock;
    this.#timings = timings;
    this.#random = random;
    this.#handlers = handlers;
  }

  /** Works for this session from now on. */
  start(sessionId: string): void {
    this.stop();
    this.#sessionId = sessionId;
  }

  /** The session is over: drops what waits, and the answer of what is under way. */
  stop(): void {
    this.#scope.abort(new StoreError('STORE_TIMEOUT', 'the session is over: the answer no longer matters', { isRetryable: true }));
    this.#scope = new AbortController();
    this.#sessionId = null;
    this.#releases.clear();
    this.#claims.clear();
    this.#reads.clear();
    this.#contends.clear();
    this.#withdraws.clear();
    this.#wantsHeld = false;
    this.#grantCount = 0;
    this.#incomparableSinceMs = null;
    this.#failureCount = 0;
    this.#firstJob = 0;
    this.#retry?.cancel();
    this.#retry = null;
    this.#untold?.timer.cancel();
    this.#untold = null;
  }

  claim(groupId: string): void {
    this.#claims.add(groupId);
    this.#pumpSoon();
  }

  release(lease: LeaseRelease): void {
    const waiting = this.#releases.get(lease.groupId) ?? [];
    if (waiting.some((other) => other.term === lease.term)) return;
    this.#releases.set(lease.groupId, [...waiting, lease]);
    this.#pumpSoon();
  }

  read(groupId: string): void {
    this.#reads.add(groupId);
    this.#pumpSoon();
  }

  contend(groupId: string): void {
    this.#withdraws.delete(groupId);
    this.#contends.add(groupId);
    this.#pumpSoon();
  }

  withdraw(groupId: string): void {
    this.#contends.delete(groupId);
    this.#withdraws.add(groupId);
    this.#pumpSoon();
  }

  /** Taken when a heartbeat is sent. */
  mark(): GrantMark {
    return { epoch: this.#epoch, isClaiming: this.#isClaiming };
  }

  /**
   * Compares the store's count of grants, as of a heartbeat, with what we were told of. A claim that was under way meanwhile makes the two
   * incomparable; so that endless claiming cannot hide a late one, the third such heartbeat in a row reads what is held all the same.
   */
  compareGrants(grantCount: number, mark: GrantMark): void {
    if (mark.isClaiming || mark.epoch !== this.#epoch) {
      const nowMs = this.#clock.now().monotonicMs;
      this.#incomparableSinceMs ??= nowMs;
      // Not by their number: hints, as those of our own claims, cause more of them than the interval does.
      if (nowMs - this.#incomparableSinceMs < 1.5 * this.#timings.heartbeatMs) return;
    } else if (grantCount === this.#grantCount) {
      this.#incomparableSinceMs = null;
      return;
    }
    this.#incomparableSinceMs = null;
    this.lookAtHeld();
  }

  /** Looks what the session holds: there is something new about it. */
  lookAtHeld(): void {
    this.#wantsHeld = true;
    this.#pumpSoon();
  }

  #pumpSoon(): void {
    if (this.#isPumpQueued) return;
    this.#isPumpQueued = true;
    // After the current burst of events, so that it becomes one batch.
    queueMicrotask(() => {
      this.#isPumpQueued = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#isBusy || this.#retry !== null || this.#sessionId === null) return;
    for (let i = 0; i < JOBS.length; i += 1) {
      const at = (this.#firstJob + i) % JOBS.length;
      const call = this.#prepare(JOBS[at]!, this.#sessionId);
      if (call === null) continue;
      this.#run(at, this.#sessionId, call);
      return;
    }
  }

  #run(job: number, sessionId: string, call: () => Promise<void>): void {
    this.#isBusy = true;
    call().then(
      () =>
        this.#settled(sessionId, () => {
          this.#failureCount = 0;
          this.#firstJob = 0;
        }),
      () =>
        this.#settled(sessionId, () => {
          // The caller has reported it. The others get their turn before this one is tried again.
          this.#failureCount += 1;
          this.#firstJob = (job + 1) % JOBS.length;
          this.#retry = this.#clock.schedule(retryDelayMs(this.#failureCount, this.#random(), this.#timings), () => {
            this.#retry = null;
            this.#pump();
          });
        }),
    );
  }

  #settled(sessionId: string, then: () => void): void {
    this.#isBusy = false;
    if (sessionId === this.#sessionId) then();
    this.#pumpSoon();
  }

  /** The call for a job, or `null` when nothing waits for it. */
  #prepare(job: Job, sessionId: string): (() => Promise<void>) | null {
    switch (job) {
      case 'release':
        return this.#releases.size === 0 ? null : () => this.#sendReleases(sessionId, batch([...this.#releases.values()].flat()));
      case 'held':
        return this.#wantsHeld ? () => this.#sendHeld(sessionId) : null;
      case 'claim': {
        const groupIds = batch(
          [...this.#claims].filter((groupId) => !this.#releases.has(groupId)),
          MAX_CLAIMS,
        );
        return groupIds.length === 0 ? null : () => this.#sendClaims(sessionId, groupIds);
      }
      case 'read':
        return this.#reads.size === 0 ? null : () => this.#sendReads(sessionId, batch([...this.#reads]));
      case 'contend':
        return this.#contends.size === 0 ? null : () => this.#sendSet(job, sessionId, this.#contends);
      case 'withdraw':
        return this.#withdraws.size === 0 ? null : () => this.#sendSet(job, sessionId, this.#withdraws);
    }
  }

  async #sendReleases(sessionId: string, leases: readonly LeaseRelease[]): Promise<void> {
    const results = await this.#call('release', (signal) => this.#store.release(sessionId, leases, { signal }), leases.length);
    if (sessionId !== this.#sessionId) return;
    for (const { groupId, term } of leases) {
      const rest = (this.#releases.get(groupId) ?? []).filter((lease) => lease.term !== term);
      if (rest.length === 0) this.#releases.delete(groupId);
      else this.#releases.set(groupId, rest);
    }
    this.#handlers.onReleased(sessionId, results);
  }

  async #sendHeld(sessionId: string): Promise<void> {
    const held = await this.#send('held', (signal) => this.#store.held(sessionId, { signal }));
    if (sessionId !== this.#sessionId) return;
    this.#wantsHeld = false;
    this.#grantCount = held.grantCount;
    this.#handlers.onHeld(sessionId, held);
  }

  async #sendClaims(sessionId: string, groupIds: readonly string[]): Promise<void> {
    this.#epoch += 1;
    this.#isClaiming = true;
    const askedAtMs = this.#clock.now().monotonicMs;
    let results: readonly ClaimResult[];
    try {
      results = await this.#call('claim', (signal) => this.#store.claim(sessionId, groupIds, { signal }), groupIds.length);
    } finally {
      this.#epoch += 1;
      this.#isClaiming = false;
    }
    if (sessionId !== this.#sessionId) return;
    for (const groupId of groupIds) this.#claims.delete(groupId);
    for (const result of results) if (result.kind === 'granted' && result.fresh) this.#grantCount += 1;
    const tell = (): void => this.#handlers.onClaimed(sessionId, results, askedAtMs);
    if (this.#claims.size === 0) tell();
    else this.#tellSoon(tell);
  }

  async #sendReads(sessionId: string, groupIds: readonly string[]): Promise<void> {
    // Taken out first: a hint that comes while the call is under way wants another look.
    for (const groupId of groupIds) this.#reads.delete(groupId);
    const askedAtMs = this.#clock.now().monotonicMs;
    try {
      const views = await this.#call('read', (signal) => this.#store.read(groupIds, { signal }), groupIds.length);
      if (sessionId === this.#sessionId) this.#handlers.onRead(sessionId, views, askedAtMs);
    } catch (error) {
      if (sessionId === this.#sessionId) for (const groupId of groupIds) this.#reads.add(groupId);
      throw error;
    }
  }

  async #sendSet(job: 'contend' | 'withdraw', sessionId: string, waiting: Set<string>): Promise<void> {
    const groupIds = batch([...waiting]);
    await this.#send(job, (signal) => this.#store[job](sessionId, groupIds, { signal }));
    if (sessionId !== this.#sessionId) return;
    for (const groupId of groupIds) waiting.delete(groupId);
  }

  /** In another turn of the event loop: thousands of works may begin then, and keep the process busy. The next claim is on its way by then, however many promises its store sends it through. */
  #tellSoon(tell: () => void): void {
    this.#untold = { tell, timer: this.#clock.schedule(0, () => this.#tellNow()) };
  }

  #tellNow(): void {
    const untold = this.#untold;
    this.#untold = null;
    untold?.timer.cancel();
    untold?.tell();
  }

  async #call<T>(operation: string, send: (signal: AbortSignal) => Promise<readonly T[]>, count: number): Promise<readonly T[]> {
    const results = await this.#send(operation, send);
    if (results.length === count) return results;
    throw new StoreError('STORE_FAULT', `the store answered \`${operation}\` of ${count} groups with ${results.length} results`);
  }

  async #send<T>(operation: string, send: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const answer = await this.#caller.call(operation, this.#timings.callDeadlineMs, send, this.#scope.signal);
    // What was answered before is told before.
    this.#tellNow();
    return answer;
  }
}

function batch<T>(waiting: readonly T[], limit = MAX_BATCH): readonly T[] {
  return waiting.length <= limit ? waiting : waiting.slice(0, limit);
}
