import type { Clock, LocalInstant, Timer } from './clock.js';
import { Contention } from './contention.js';
import type { CoordinatorStatus, Leader, LeadOptions, LeadResult, Lease, Observer, Work } from './coordinator-types.js';
import { DeadlineHeap } from './deadline-heap.js';
import { LeaseNotHeldError, StoreError, WbError, WbOptionError } from './errors.js';
import { EventStream } from './event-stream.js';
import type { GroupEffect, GroupEvent, GroupState, HeldLease } from './group-machine.js';
import type { ResolvedLeadOptions } from './lead-options.js';
import { LeaseLane } from './lease-lane.js';
import type { ClaimResult, HeldLeases, HeartbeatResult, LeaseHint, LeaseStore, LeaseView, ReleaseResult } from './lease-store.js';
import type { Machines } from './machines.js';
import { ObserverHub } from './observer-hub.js';
import { initialSession, sessionDeadlineMs, type SessionEffect, type SessionEvent, type SessionState } from './session-machine.js';
import { StandbyIndex } from './standby-index.js';
import { StoreCaller } from './store-caller.js';
import type { Timings } from './timings.js';

/** How long one place in the queue of standbys waits for the one before it, in ms. */
const RANK_STEP_MS = 2;
const MAX_RANK = 16;
/** How long hints that name no group are collected, in ms. */
const HINT_PAUSE_MS = 10;
/** EX_SOFTWARE of sysexits.h. */
const OVERRUN_EXIT_CODE = 70;

/** What the shell is made of; everything that touches the world comes in here. */
export interface ShellParts {
  readonly store: LeaseStore;
  readonly memberId: string;
  readonly metadata: Readonly<Record<string, string>> | undefined;
  readonly migrate: boolean;
  readonly timings: Timings;
  readonly clock: Clock;
  readonly machines: Machines;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly newSessionId: () => string;
  readonly exit: (code: number) => void;
}

/**
 * The shell around the two machines: owns the timer, the store calls and the user's work, and turns what happens into
 * events. It decides nothing that the machines could decide.
 */
export class CoordinatorShell {
  readonly events: EventStream = new EventStream();
  readonly #parts: ShellParts;
  readonly #timings: Timings;
  readonly #clock: Clock;
  readonly #caller: StoreCaller;
  readonly #lane: LeaseLane;
  readonly #observers: ObserverHub;
  readonly #standbys = new StandbyIndex();
  readonly #contentions = new Map<string, Contention>();
  readonly #groupDeadlines = new DeadlineHeap();
  readonly #heartbeatWaiters = new Set<(outcome: { readonly sentAt: LocalInstant; readonly isAlive: boolean }) => void>();
  readonly #delayed = new Set<Timer>();

  #session: SessionState | null = null;
  #isMigrated: boolean;
  #standbyRank = 0;
  #watch: AsyncDisposable | 'starting' | null = null;
  #isHintPending = false;
  #closing: Promise<void> | null = null;
  #onSessionClosed: (() => void) | null = null;

  /** Events wait here while another is being handled: user code that runs inside one (an abort listener) may cause the next. */
  readonly #queue: (() => void)[] = [];
  #isDraining = false;
  #timer: { readonly atMs: number; readonly timer: Timer } | null = null;

  constructor(parts: ShellParts) {
    this.#parts = parts;
    this.#timings = parts.timings;
    this.#clock = parts.clock;
    this.#isMigrated = !parts.migrate;
    this.#caller = new StoreCaller(parts.clock, this.events);
    this.#lane = new LeaseLane(parts.store, this.#caller, parts.clock, parts.timings, parts.random, {
      onClaimed: (sessionId, results, receivedAtMs) => this.#enter(() => this.#claimed(sessionId, results, receivedAtMs)),
      onReleased: (_sessionId, results) => this.#enter(() => this.#released(results)),
      onRead: (_sessionId, views, receivedAtMs) => this.#enter(() => this.#looked(views, receivedAtMs)),
      onHeld: (sessionId, held) => this.#enter(() => this.#reconcile(sessionId, held)),
    });
    this.#observers = new ObserverHub(parts.store, this.#caller, parts.clock, parts.timings);
  }

  lead(groupId: string, work: Work<unknown>, options: ResolvedLeadOptions, signal: LeadOptions['signal']): Promise<LeadResult<unknown>> {
    if (this.#closing) throw new WbError('COORDINATOR_CLOSED', `cannot lead group ${JSON.stringify(groupId)}: the coordinator is closed`);
    if (this.#contentions.has(groupId)) {
      throw new WbError(
        'GROUP_ALREADY_LED',
        `group ${JSON.stringify(groupId)} is already led by this coordinator: a group has one work per coordinator`,
      );
    }
    if (signal?.aborted === true) return Promise.resolve({ reason: 'stopped' });
    const contention = new Contention(groupId, work, options, this.#session?.kind === 'live' ? this.#session.sessionId : null);
    this.#contentions.set(groupId, contention);
    if (signal) {
      const onAbort = (): void => this.#enter(() => this.#moveGroup(contention, { kind: 'stop', reason: 'stopped' }));
      signal.addEventListener('abort', onAbort);
      void contention.finished.then(() => signal.removeEventListener('abort', onAbort));
    }
    this.#enter(() => {
      if (this.#session === null) this.#startSession();
      this.#lane.contend(groupId);
      this.#moveGroup(contention, { kind: 'tick' });
    });
    return contention.result;
  }

  resign(groupId: string): Promise<boolean> {
    const contention = this.#contentions.get(groupId);
    if (contention?.state.kind !== 'leading') return Promise.resolve(false);
    return new Promise((resolve) => {
      contention.resignations.push(resolve);
      this.#enter(() => this.#moveGroup(contention, { kind: 'resign' }));
    });
  }

  call<T>(operation: string, send: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#closing) throw new WbError('COORDINATOR_CLOSED', `cannot call \`${operation}\`: the coordinator is closed`);
    return this.#caller.call(operation, this.#timings.callDeadlineMs, send);
  }

  observe(groupId: string): Observer {
    if (this.#closing)
      throw new WbError('COORDINATOR_CLOSED', `cannot observe group ${JSON.stringify(groupId)}: the coordinator is closed`);
    this.#startWatching();
    return this.#observers.observe(groupId);
  }

  status(): CoordinatorStatus {
    const session = this.#session;
    return {
      memberId: this.#parts.memberId,
      session: {
        state: session?.kind ?? 'none',
        reason: session?.reason ?? null,
        sessionId: session !== null && 'sessionId' in session ? session.sessionId : null,
        trustedForMs: session?.kind === 'live' ? this.#trustedForMs(session) : 0,
      },
      storeFault: this.#caller.fault,
      groups: [...this.#contentions.values()].map((contention) => ({
        groupId: contention.groupId,
        state: contention.state.kind,
        reason: contention.state.reason,
        leader: contention.lease ? this.#self(contention.lease) : contention.leader,
        runCount: contention.runCount,
      })),
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#observers.close();
    const contentions = [...this.#contentions.values()];
    this.#enter(() => {
      for (const contention of contentions) this.#moveGroup(contention, { kind: 'stop', reason: 'closed' });
    });
    await Promise.all(contentions.map((contention) => contention.finished));
    // The heartbeat is the last thing to stop (T7).
    await new Promise<void>((resolve) => {
      this.#onSessionClosed = resolve;
      this.#enter(() => {
        if (this.#session === null) resolve();
        else this.#moveSession({ kind: 'close' });
      });
    });
    this.#lane.stop();
    this.#timer?.timer.cancel();
    this.#timer = null;
    for (const timer of this.#delayed) timer.cancel();
    if (this.#watch !== null && this.#watch !== 'starting') await this.#watch[Symbol.asyncDispose]();
    this.#caller.abortAll(new StoreError('STORE_CLOSED', 'the coordinator is closed'));
    this.events.close();
  }

  // ——— the queue and the timer ———

  /** Handles `event` after those that wait, then whatever has become due, and sets the timer. */
  #enter(event: () => void): void {
    this.#queue.push(event);
    if (this.#isDraining) return;
    this.#isDraining = true;
    try {
      do {
        for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) next();
        this.#tick();
      } while (this.#queue.length > 0);
    } finally {
      this.#isDraining = false;
      this.#arm();
    }
  }

  #tick(): void {
    for (;;) {
      const now = this.#clock.now();
      const nowMs = now.monotonicMs;
      let isIdle = true;
      const session = this.#session;
      const isTrustOver = session?.kind === 'live' && this.#trustedForMs(session) === 0;
      if (isTrustOver || (session !== null && (sessionDeadlineMs(session) ?? Infinity) <= nowMs)) {
        isIdle = false;
        this.#moveSession({ kind: 'tick' });
      }
      for (const groupId of this.#groupDeadlines.takeDue(nowMs)) {
        const contention = this.#contentions.get(groupId);
        if (!contention) continue;
        isIdle = false;
        this.#moveGroup(contention, { kind: 'tick' });
      }
      const expired = this.#standbys.takeExpired(nowMs, this.#expiryDelayMs);
      if (expired.length > 0) isIdle = false;
      for (const groupId of expired) this.#holderGone(groupId, 'expired');
      if (isIdle) return;
    }
  }

  #arm(): void {
    const nowMs = this.#clock.now().monotonicMs;
    const session = this.#session;
    const atMs = Math.min(
      (session === null ? null : sessionDeadlineMs(session)) ?? Infinity,
      // Nothing wakes a process when the machine slept or its wall clock was set: look at least once per heartbeat (T3).
      session?.kind === 'live' ? nowMs + this.#timings.heartbeatMs : Infinity,
      this.#groupDeadlines.nextMs,
      this.#standbys.nextExpiryMs + this.#expiryDelayMs,
    );
    // A timer that comes too early does no harm; setting one anew for every event would.
    if (this.#timer !== null && this.#timer.atMs <= atMs) return;
    this.#timer?.timer.cancel();
    this.#timer = null;
    if (atMs === Infinity) return;
    const timer = this.#clock.schedule(Math.max(0, atMs - nowMs), () => {
      this.#timer = null;
      this.#enter(() => undefined);
    });
    this.#timer = { atMs, timer };
  }

  /** Runs `event` after a delay that keeps a crowd of standbys from racing for every row. */
  #inTurn(event: () => void): void {
    if (this.#standbyRank === 0) event();
    else this.#later(this.#rankDelayMs, event);
  }

  #later(delayMs: number, event: () => void): void {
    const timer = this.#clock.schedule(delayMs, () => {
      this.#delayed.delete(timer);
      this.#enter(event);
    });
    this.#delayed.add(timer);
  }

  get #rankDelayMs(): number {
    return Math.min(this.#standbyRank, MAX_RANK) * RANK_STEP_MS;
  }

  get #expiryDelayMs(): number {
    return this.#parts.store.capabilities.precisionMs + this.#rankDelayMs;
  }

  // ——— the session ———

  #startSession(): void {
    const session = initialSession(this.#clock.now());
    this.#session = session;
    this.events.emit({ kind: 'session', from: 'joining', to: 'joining', reason: session.reason, sessionId: null });
    this.#moveSession({ kind: 'tick' });
  }

  #moveSession(event: SessionEvent): void {
    const before = this.#session;
    if (before === null) return;
    const { state, effects } = this.#parts.machines.session(before, event, this.#clock.now(), this.#timings);
    this.#session = state;
    if (state.kind !== before.kind) {
      const sessionId = 'sessionId' in state ? state.sessionId : 'sessionId' in before ? before.sessionId : null;
      this.events.emit({ kind: 'session', from: before.kind, to: state.kind, reason: state.reason, sessionId });
    }
    for (const effect of effects) this.#actOnSession(effect);
    if (state.kind === 'closed') this.#onSessionClosed?.();
  }

  #trustedForMs(session: SessionState & { kind: 'live' }): number {
    return this.#parts.machines.remainingTrustMs(session.trustedUntil, this.#clock.now());
  }

  #actOnSession(effect: SessionEffect): void {
    switch (effect.kind) {
      case 'open':
        void this.#open();
        return;
      case 'heartbeat':
        void this.#heartbeat(effect.sessionId);
        return;
      case 'close':
        this.#caller
          .call('closeSession', this.#timings.callDeadlineMs, (signal) => this.#parts.store.closeSession(effect.sessionId, { signal }))
          .then(
            () => this.#enter(() => this.#moveSession({ kind: 'close-acknowledged' })),
            () => this.#enter(() => this.#moveSession({ kind: 'close-failed', jitter: this.#parts.random() })),
          );
        return;
      case 'announce-live':
        this.#lane.start(effect.sessionId);
        this.#startWatching();
        for (const contention of this.#contentions.values()) {
          this.#lane.contend(contention.groupId);
          this.#moveGroup(contention, { kind: 'session-live', sessionId: effect.sessionId });
        }
        return;
      case 'announce-lost':
        this.#lane.stop();
        this.#standbys.clear();
        for (const contention of [...this.#contentions.values()]) {
          this.#moveGroup(contention, { kind: 'session-lost', sessionId: effect.sessionId, reason: effect.reason });
        }
        for (const waiter of this.#heartbeatWaiters) waiter({ sentAt: this.#clock.now(), isAlive: false });
    }
  }

  async #open(): Promise<void> {
    const { store, memberId, metadata, newSessionId, random } = this.#parts;
    try {
      if (!this.#isMigrated) {
        // Creating tables may take longer than a heartbeat may; but a request that was lost must not hold up a candidate for long (T9).
        const failureCount = this.#session?.kind === 'joining' ? this.#session.failureCount : 0;
        const deadlineMs = Math.min(this.#timings.ttlMs, this.#timings.callDeadlineMs * 2 ** failureCount);
        await this.#caller.call('migrate', deadlineMs, (signal) => store.migrate({ signal }));
        this.#isMigrated = true;
      }
      const sessionId = newSessionId();
      const sentAt = this.#clock.now();
      const session = { sessionId, memberId, ttlMs: this.#timings.ttlMs, ...(metadata && { metadata }) };
      await this.#caller.call('openSession', this.#timings.callDeadlineMs, (signal) => store.openSession(session, { signal }));
      this.#enter(() => this.#moveSession({ kind: 'opened', sessionId, sentAt }));
    } catch {
      // Reported by the caller. The next attempt has a new id: this one may yet be opened, and expires.
      this.#enter(() => this.#moveSession({ kind: 'open-failed', jitter: random() }));
    }
  }

  async #heartbeat(sessionId: string): Promise<void> {
    const mark = this.#lane.mark();
    const holders = this.#standbys.holderIds;
    const sentAt = this.#clock.now();
    let result: HeartbeatResult;
    try {
      result = await this.#caller.call('heartbeat', this.#timings.callDeadlineMs, (signal) =>
        this.#parts.store.heartbeat({ sessionId, holders }, { signal }),
      );
    } catch {
      this.#enter(() => {
        this.#moveSession({ kind: 'heartbeat-failed', sessionId, sentAt, jitter: this.#parts.random() });
        for (const waiter of this.#heartbeatWaiters) waiter({ sentAt, isAlive: false });
      });
      return;
    }
    const answer = result;
    this.#enter(() => {
      if (!answer.alive) {
        this.#moveSession({ kind: 'refused', sessionId });
        return;
      }
      this.#moveSession({ kind: 'heartbeat-acknowledged', sessionId, sentAt });
      if (this.#session?.kind !== 'live' || this.#session.sessionId !== sessionId) return;
      for (const waiter of this.#heartbeatWaiters) waiter({ sentAt, isAlive: true });
      this.#standbyRank = answer.standbyRank;
      this.#lane.compareGrants(answer.grantCount, mark);
      const news = this.#standbys.update(answer.holders, this.#clock.now().monotonicMs);
      if (news.orphaned.length > 0) {
        this.#inTurn(() => {
          for (const groupId of news.orphaned) this.#holderGone(groupId, 'expired');
        });
      }
      if (news.suspect.length > 0) {
        this.#inTurn(() => {
          for (const groupId of news.suspect) this.#lane.read(groupId);
        });
      }
    });
  }

  // ——— the groups ———

  #moveGroup(contention: Contention, event: GroupEvent, error?: unknown): void {
    // Whatever comes in: a session whose time is up is lost first (T4, T10).
    const session = this.#session;
    if (session?.kind === 'live' && this.#trustedForMs(session) === 0) this.#moveSession({ kind: 'tick' });
    const before = contention.state;
    const { state, effects } = this.#parts.machines.group(before, event, this.#clock.now().monotonicMs, contention.options);
    contention.state = state;
    if (state.kind !== before.kind) this.#emitGroup(contention.groupId, before, state, error);
    if (state.kind === 'leading' || state.kind === 'closed') {
      this.#standbys.untrack(contention.groupId);
      contention.leader = null;
    }
    for (const effect of effects) this.#actOnGroup(contention, effect);
    const deadlineMs = this.#parts.machines.groupDeadlineMs(contention.state, contention.options);
    if (deadlineMs !== null) this.#groupDeadlines.push(contention.groupId, deadlineMs);
    if (before.kind === 'yielding' && state.kind !== 'yielding') {
      for (const resolve of contention.resignations.splice(0)) resolve(true);
    }
  }

  #actOnGroup(contention: Contention, effect: GroupEffect): void {
    const { groupId } = contention;
    switch (effect.kind) {
      case 'claim':
        this.#standbys.untrack(groupId);
        this.#lane.claim(groupId);
        return;
      case 'start-work':
        contention.start(effect.lease, {
          memberId: this.#parts.memberId,
          makeLease: (id, lease) => this.#makeLease(id, lease),
          onBeat: () => this.#enter(() => this.#moveGroup(contention, { kind: 'beat' })),
          onSettled: (error, failed) => this.#enter(() => this.#moveGroup(contention, { kind: 'work-settled', failed }, error)),
        });
        return;
      case 'abort-work':
        contention.abort(effect.reason);
        return;
      case 'release':
        this.#lane.release({ groupId, term: effect.lease.term });
        return;
      case 'overrun':
        this.events.emit({
          kind: 'overrun',
          groupId,
          term: effect.lease.term,
          reason: effect.reason,
          settleDeadlineMs: contention.options.settleDeadlineMs,
        });
        if (contention.options.onOverrun === 'exit') this.#parts.exit(OVERRUN_EXIT_CODE);
        return;
      case 'finish':
        this.#contentions.delete(groupId);
        if (this.#session?.kind === 'live') this.#lane.withdraw(groupId);
        contention.finish(effect.reason);
    }
  }

  #emitGroup(groupId: string, before: GroupState, state: GroupState, error: unknown): void {
    const lease = 'lease' in state ? state.lease : 'lease' in before ? before.lease : null;
    this.events.emit({
      kind: 'group',
      groupId,
      from: before.kind,
      to: state.kind,
      reason: state.reason,
      term: lease?.term ?? null,
      ...(error !== undefined && { error }),
    });
  }

  #claimed(sessionId: string, results: readonly ClaimResult[], receivedAtMs: number): void {
    for (const result of results) {
      const contention = this.#contentions.get(result.groupId);
      if (result.kind === 'granted') {
        if (contention) this.#moveGroup(contention, { kind: 'granted', sessionId, term: result.term });
        continue;
      }
      if (result.reason === 'session-dead') {
        this.#moveSession({ kind: 'refused', sessionId });
        return;
      }
      if (!contention) continue;
      if (result.reason === 'busy') {
        this.#moveGroup(contention, { kind: 'refused-busy', sessionId });
        continue;
      }
      this.#follow(contention, result.holder, receivedAtMs);
      this.#moveGroup(contention, { kind: 'refused', sessionId, holderId: result.holder.sessionId });
    }
  }

  #released(results: readonly ReleaseResult[]): void {
    for (const { groupId, term } of results) {
      const contention = this.#contentions.get(groupId);
      if (contention?.state.kind !== 'yielding' || contention.state.lease.term !== term) continue;
      this.#moveGroup(contention, { kind: 'released' });
    }
  }

  /** Takes in a look at groups of which one may have become free. */
  #looked(views: readonly LeaseView[], receivedAtMs: number): void {
    for (const { groupId, holder } of views) {
      const contention = this.#contentions.get(groupId);
      if (contention?.state.kind !== 'standby') continue;
      if (holder === null) {
        this.#holderGone(groupId, 'released');
        continue;
      }
      this.#follow(contention, holder, receivedAtMs);
      this.#moveGroup(contention, { kind: 'holder-seen', holderId: holder.sessionId });
    }
  }

  /** Compares what the store says that we hold with what we believe: the trap of the late claim. */
  #reconcile(sessionId: string, held: HeldLeases): void {
    if (!held.alive) {
      this.#moveSession({ kind: 'refused', sessionId });
      return;
    }
    const termOf = new Map(held.leases.map(({ groupId, term }) => [groupId, term]));
    for (const contention of this.#contentions.values()) {
      const { state, groupId } = contention;
      if (state.kind === 'leading' && termOf.get(groupId) !== state.lease.term) {
        this.#moveGroup(contention, { kind: 'lease-missing', term: state.lease.term });
      }
    }
    for (const { groupId, term } of held.leases) {
      const contention = this.#contentions.get(groupId);
      if (contention?.state.kind === 'standby') this.#holderGone(groupId, 'free');
      else if (contention?.state.kind === 'claiming') continue;
      else if (contention === undefined || contention.lease?.term !== term) this.#lane.release({ groupId, term });
    }
  }

  #holderGone(groupId: string, reason: 'expired' | 'released' | 'free'): void {
    const contention = this.#contentions.get(groupId);
    if (!contention) return;
    this.#standbys.untrack(groupId);
    contention.leader = null;
    this.#moveGroup(contention, { kind: 'holder-gone', reason });
  }

  #follow(
    contention: Contention,
    holder: Leader & { readonly remainingMs: number; readonly releaseCount: number },
    receivedAtMs: number,
  ): void {
    contention.leader = { memberId: holder.memberId, sessionId: holder.sessionId, term: holder.term };
    this.#standbys.track(contention.groupId, holder, receivedAtMs);
  }

  #self(lease: HeldLease): Leader {
    return { memberId: this.#parts.memberId, sessionId: lease.sessionId, term: lease.term };
  }

  // ——— the lease in the user's hands ———

  #makeLease(groupId: string, held: HeldLease): Lease {
    const { term, sessionId } = held;
    const remainingMs = (): number => {
      const session = this.#session;
      if (session?.kind !== 'live' || session.sessionId !== sessionId) return 0;
      const lease = this.#contentions.get(groupId)?.lease;
      if (lease?.term !== term || lease.sessionId !== sessionId) return 0;
      return this.#trustedForMs(session);
    };
    const isHeld = (): boolean => remainingMs() > 0;
    const notHeld = (what: string): LeaseNotHeldError =>
      new LeaseNotHeldError(groupId, term, `group ${JSON.stringify(groupId)} is not held in term ${term}${what}`);
    return {
      groupId,
      term,
      sessionId,
      isHeld,
      remainingMs,
      assertHeld: () => {
        if (!isHeld()) throw notHeld('');
      },
      ensure: async (ms: number) => {
        const maxMs = this.#timings.ttlMs - this.#timings.safetyMarginMs;
        if (!Number.isFinite(ms) || ms <= 0 || ms > maxMs) {
          throw new WbOptionError(
            'INVALID_OPTION',
            'ms',
            `\`ms\` (${ms}) must be above 0 and at most \`ttlMs − safetyMarginMs\` (${maxMs})`,
          );
        }
        const askedAtMs = this.#clock.now().monotonicMs;
        while (isHeld() && remainingMs() < ms) {
          const outcome = await this.#nextHeartbeat();
          // One that was sent after the question brings as much trust as there is to be had.
          if (!outcome.isAlive || outcome.sentAt.monotonicMs >= askedAtMs) break;
        }
        if (!isHeld() || remainingMs() < ms) throw notHeld(` for another ${ms} ms`);
      },
    };
  }

  #nextHeartbeat(): Promise<{ readonly sentAt: LocalInstant; readonly isAlive: boolean }> {
    return new Promise((resolve) => {
      const waiter = (outcome: { readonly sentAt: LocalInstant; readonly isAlive: boolean }): void => {
        this.#heartbeatWaiters.delete(waiter);
        resolve(outcome);
      };
      this.#heartbeatWaiters.add(waiter);
      this.#enter(() => this.#moveSession({ kind: 'heartbeat-wanted' }));
    });
  }

  // ——— hints ———

  #startWatching(): void {
    if (this.#watch !== null || this.#parts.store.watch === undefined) return;
    this.#watch = 'starting';
    const onHint = (hint: LeaseHint): void => this.#enter(() => this.#hinted(hint));
    this.#caller
      .call('watch', this.#timings.callDeadlineMs, (signal) => this.#parts.store.watch!(onHint, { signal }))
      .then(
        (watch) => {
          this.#watch = watch;
          if (this.#closing) void watch[Symbol.asyncDispose]();
        },
        // Hints only save time: the next session tries again.
        () => {
          this.#watch = null;
        },
      );
  }

  #hinted(hint: LeaseHint): void {
    if (this.#closing) return;
    this.#observers.readSoon();
    const waiting = hint.groupIds?.filter((groupId) => this.#contentions.get(groupId)?.state.kind === 'standby');
    if (waiting !== undefined) {
      if (waiting.length === 0) return;
      this.#inTurn(() => {
        for (const groupId of waiting) this.#lane.read(groupId);
      });
      return;
    }
    if (this.#isHintPending) return;
    this.#isHintPending = true;
    this.#later(HINT_PAUSE_MS, () => {
      this.#isHintPending = false;
      this.#moveSession({ kind: 'heartbeat-wanted' });
    });
  }
}
