import type { AbandonedSessions } from './abandoned-sessions.js';
import type { Clock } from './clock.js';
import { Contention, type ContentionHost } from './contention.js';
import type { GroupStatus, Leader, Lease, Work } from './coordinator-types.js';
import { DeadlineHeap } from './deadline-heap.js';
import type { EventStream } from './event-stream.js';
import type { GroupEffect, GroupEvent, GroupState, HeldLease } from './group-machine.js';
import type { ResolvedLeadOptions } from './lead-options.js';
import { leaseHandle } from './lease-handle.js';
import { MAX_CLAIMS, type LeaseLane, type LeaseLaneHandlers } from './lease-lane.js';
import type { ClaimResult, HeldLeases, HolderHealth, LeaseView, ReleaseResult } from './lease-store.js';
import type { MachineLoop } from './machine-loop.js';
import type { Machines } from './machines.js';
import type { SessionShell } from './session-shell.js';
import { StandbyIndex } from './standby-index.js';
import type { Timings } from './timings.js';

/** EX_SOFTWARE of sysexits.h. */
const OVERRUN_EXIT_CODE = 70;

/** What the groups need from outside. */
export interface GroupParts {
  readonly memberId: string;
  readonly timings: Timings;
  readonly clock: Clock;
  readonly machines: Machines;
  readonly exit: (code: number) => void;
}

/** The shell around the groups' machines: claims and releases through the lane, runs the user's work, follows the holders of the other groups. */
export class GroupShell implements LeaseLaneHandlers, ContentionHost {
  readonly standbys: StandbyIndex = new StandbyIndex();
  readonly #parts: GroupParts;
  readonly #session: SessionShell;
  readonly #lane: LeaseLane;
  readonly #events: EventStream;
  readonly #loop: MachineLoop;
  readonly #abandoned: AbandonedSessions;
  readonly #contentions = new Map<string, Contention>();
  readonly #deadlines = new DeadlineHeap();

  constructor(
    parts: GroupParts,
    session: SessionShell,
    lane: LeaseLane,
    abandoned: AbandonedSessions,
    events: EventStream,
    loop: MachineLoop,
  ) {
    this.#parts = parts;
    this.#session = session;
    this.#lane = lane;
    this.#abandoned = abandoned;
    this.#events = events;
    this.#loop = loop;
  }

  has(groupId: string): boolean {
    return this.#contentions.has(groupId);
  }

  isStandby(groupId: string): boolean {
    return this.#contentions.get(groupId)?.state.kind === 'standby';
  }

  isLeading(groupId: string): boolean {
    return this.#contentions.get(groupId)?.state.kind === 'leading';
  }

  contend(groupId: string, work: Work<unknown>, options: ResolvedLeadOptions): Contention {
    const contention = new Contention(this, groupId, work, options, this.#session.liveId);
    this.#contentions.set(groupId, contention);
    return contention;
  }

  begin(contention: Contention): void {
    this.#lane.contend(contention.groupId);
    this.#move(contention, { kind: 'tick' });
  }

  stop(contention: Contention, reason: 'stopped' | 'closed'): void {
    this.#move(contention, { kind: 'stop', reason });
  }

  /** Stops everything, and resolves when all of it is over. */
  async stopAll(): Promise<void> {
    const contentions = [...this.#contentions.values()];
    this.#loop.enter(() => {
      for (const contention of contentions) this.stop(contention, 'closed');
    });
    await Promise.all(contentions.map((contention) => new Promise<void>((resolve) => contention.onFinished(resolve))));
  }

  resign(groupId: string): Promise<boolean> {
    const contention = this.#contentions.get(groupId);
    if (contention?.state.kind !== 'leading') return Promise.resolve(false);
    return new Promise((resolve) => {
      contention.onResigned(() => resolve(true));
      this.#loop.enter(() => this.#move(contention, { kind: 'resign' }));
    });
  }

  status(): GroupStatus[] {
    return [...this.#contentions.values()].map((contention) => ({
      groupId: contention.groupId,
      state: contention.state.kind,
      reason: contention.state.reason,
      leader: contention.lease ? { memberId: this.memberId, ...contention.lease } : contention.leader,
      runCount: contention.runCount,
    }));
  }

  sessionLive(sessionId: string): void {
    for (const contention of this.#contentions.values()) {
      this.#lane.contend(contention.groupId);
      this.#move(contention, { kind: 'session-live', sessionId });
    }
  }

  sessionLost(sessionId: string, reason: 'expired' | 'lost-trust'): void {
    this.standbys.clear();
    for (const contention of [...this.#contentions.values()]) this.#move(contention, { kind: 'session-lost', sessionId, reason });
  }

  holdersGone(groupIds: readonly string[], reason: 'expired' | 'released' | 'free'): void {
    for (const groupId of groupIds) {
      const contention = this.#contentions.get(groupId);
      if (!contention) continue;
      this.standbys.untrack(groupId);
      contention.leader = null;
      this.#move(contention, { kind: 'holder-gone', reason });
    }
  }

  /** Handles what is due; whether there may be more at once. `expiryDelayMs`: how long after a holder's expiry its groups are claimed. */
  runDue(nowMs: number, expiryDelayMs: number): boolean {
    let isIdle = true;
    for (const groupId of this.#deadlines.takeDue(nowMs)) {
      const contention = this.#contentions.get(groupId);
      if (!contention) continue;
      isIdle = false;
      this.#move(contention, { kind: 'tick' });
    }
    const expired = this.standbys.takeExpired(nowMs, expiryDelayMs, MAX_CLAIMS);
    this.holdersGone(expired, 'expired');
    // The rest waits for another turn of the event loop: these are claimed before.
    return !isIdle || (expired.length > 0 && expired.length < MAX_CLAIMS);
  }

  nextDueMs(expiryDelayMs: number): number {
    return Math.min(this.#deadlines.nextMs, this.standbys.nextExpiryMs + expiryDelayMs);
  }

  // ——— the lane's answers ———

  onClaimed(sessionId: string, results: readonly ClaimResult[], askedAtMs: number): void {
    this.#loop.enter(() => {
      for (const result of results) {
        const contention = this.#contentions.get(result.groupId);
        if (result.kind === 'granted') {
          if (contention) this.#move(contention, { kind: 'granted', sessionId, term: result.term });
          continue;
        }
        if (result.reason === 'session-dead') {
          this.#session.move({ kind: 'refused', sessionId });
          return;
        }
        if (!contention) continue;
        if (result.reason === 'busy') {
          this.#move(contention, { kind: 'refused-busy', sessionId });
          continue;
        }
        this.#follow(contention, result.holder, askedAtMs);
        this.#move(contention, { kind: 'refused', sessionId, holderId: result.holder.sessionId });
      }
    });
  }

  onReleased(_sessionId: string, results: readonly ReleaseResult[]): void {
    this.#loop.enter(() => {
      for (const { groupId, term } of results) {
        const contention = this.#contentions.get(groupId);
        if (contention?.state.kind !== 'yielding' || contention.state.lease.term !== term) continue;
        this.#move(contention, { kind: 'released' });
      }
    });
  }

  /** Takes in a look at groups of which one may have become free. */
  onRead(_sessionId: string, views: readonly LeaseView[], askedAtMs: number): void {
    this.#loop.enter(() => {
      for (const { groupId, holder } of views) {
        const contention = this.#contentions.get(groupId);
        if (contention?.state.kind !== 'standby') continue;
        if (holder === null) {
          this.holdersGone([groupId], 'released');
          continue;
        }
        this.#follow(contention, holder, askedAtMs);
        this.#move(contention, { kind: 'holder-seen', holderId: holder.sessionId });
      }
    });
  }

  /** Compares what the store says that we hold with what we believe: the trap of the late claim. */
  onHeld(sessionId: string, held: HeldLeases): void {
    this.#loop.enter(() => {
      if (!held.alive) {
        this.#session.move({ kind: 'refused', sessionId });
        return;
      }
      const termOf = new Map(held.leases.map(({ groupId, term }) => [groupId, term]));
      for (const contention of this.#contentions.values()) {
        const { state, groupId } = contention;
        if (state.kind === 'leading' && termOf.get(groupId) !== state.lease.term) {
          this.#move(contention, { kind: 'lease-missing', term: state.lease.term });
        }
      }
      for (const { groupId, term, resignRequested } of held.leases) {
        const contention = this.#contentions.get(groupId);
        if (resignRequested === true && contention?.state.kind === 'leading' && contention.lease?.term === term) {
          this.#move(contention, { kind: 'resign' });
        }
        // A claim that waits for its answer will be granted this very lease (L3).
        if (contention?.state.kind === 'claiming' || contention?.lease?.term === term) continue;
        // Nobody here works under it. It goes back at once: were it kept for the next claim, the group could be left before that comes.
        this.#lane.release({ groupId, term, reason: 'not-wanted' });
        this.holdersGone([groupId], 'free');
      }
    });
  }

  // ——— the runs of the work ———

  get memberId(): string {
    return this.#parts.memberId;
  }

  handle(groupId: string, held: HeldLease): Lease {
    const { clock, timings } = this.#parts;
    return leaseHandle(groupId, held, {
      clock,
      maxEnsureMs: timings.ttlMs - timings.safetyMarginMs,
      remainingMs: () => this.#remainingMs(groupId, held),
      nextHeartbeat: () => this.#session.nextHeartbeat(),
    });
  }

  isHeld(groupId: string, held: HeldLease): boolean {
    return this.#remainingMs(groupId, held) > 0;
  }

  onBeat(contention: Contention): void {
    this.#loop.enter(() => this.#move(contention, { kind: 'beat' }));
  }

  onLapsed(): void {
    this.#loop.enter(() => this.#session.loseIfOver());
  }

  onSettled(contention: Contention, sessionId: string, error: unknown, failed: boolean): void {
    this.#loop.enter(() => {
      this.#move(contention, { kind: 'work-settled', failed }, error);
      this.#abandoned.workSettled(sessionId);
    });
  }

  // ——— the machine ———

  #move(contention: Contention, event: GroupEvent, error?: unknown): void {
    // Whatever comes in: a session whose time is up is lost first (T4, T10).
    this.#session.loseIfOver();
    const { machines, clock } = this.#parts;
    const before = contention.state;
    const { state, effects } = machines.group(before, event, clock.now().monotonicMs, contention.options);
    contention.state = state;
    if (state.kind !== before.kind) this.#emit(contention, before, error);
    else if (error !== undefined) contention.settlingError = error;
    if (state.kind === 'leading' || state.kind === 'closed') {
      this.standbys.untrack(contention.groupId);
      contention.leader = null;
    }
    for (const effect of effects) this.#act(contention, effect);
    const deadlineMs = machines.groupDeadlineMs(contention.state, contention.options);
    if (deadlineMs !== null && state.kind !== 'closed') this.#deadlines.push(contention.groupId, deadlineMs);
    if (before.kind === 'yielding' && state.kind !== 'yielding') contention.resigned();
  }

  #act(contention: Contention, effect: GroupEffect): void {
    const { groupId, options } = contention;
    switch (effect.kind) {
      case 'claim':
        this.standbys.untrack(groupId);
        this.#lane.claim(groupId);
        return;
      case 'start-work':
        this.#abandoned.workStarted(effect.lease.sessionId);
        contention.start(effect.lease);
        return;
      case 'abort-work':
        contention.abort(effect.reason);
        return;
      case 'release':
        this.#lane.release({ groupId, term: effect.lease.term, reason: contention.state.reason });
        return;
      case 'overrun': {
        const { settleDeadlineMs } = options;
        this.#events.emit({ kind: 'overrun', groupId, term: effect.lease.term, reason: effect.reason, settleDeadlineMs });
        if (options.onOverrun === 'exit') this.#parts.exit(OVERRUN_EXIT_CODE);
        return;
      }
      case 'finish':
        this.#contentions.delete(groupId);
        this.#deadlines.remove(groupId);
        if (this.#session.liveId !== null) this.#lane.withdraw(groupId);
        contention.finish(effect.reason);
    }
  }

  #remainingMs(groupId: string, held: HeldLease): number {
    const lease = this.#contentions.get(groupId)?.lease;
    const isOurs = lease?.term === held.term && lease.sessionId === held.sessionId && this.#session.liveId === held.sessionId;
    return isOurs ? this.#session.trustedForMs : 0;
  }

  #emit(contention: Contention, before: GroupState, thrown: unknown): void {
    const { groupId, state } = contention;
    const error = thrown ?? contention.settlingError;
    contention.settlingError = undefined;
    const lease = 'lease' in state ? state.lease : 'lease' in before ? before.lease : null;
    this.#events.emit({
      kind: 'group',
      groupId,
      from: before.kind,
      to: state.kind,
      reason: state.reason,
      term: lease?.term ?? null,
      ...(error !== undefined && { error }),
    });
  }

  #follow(contention: Contention, holder: Leader & HolderHealth, askedAtMs: number): void {
    contention.leader = { memberId: holder.memberId, sessionId: holder.sessionId, term: holder.term };
    this.standbys.track(contention.groupId, holder, askedAtMs);
  }
}
