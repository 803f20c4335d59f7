import { AbandonedSessions } from './abandoned-sessions.js';
import type { LocalInstant } from './clock.js';
import type { CoordinatorStatus, LeadOptions, LeadResult, Observer, Work } from './coordinator-types.js';
import { StoreError, WbError } from './errors.js';
import { EventStream } from './event-stream.js';
import { GroupShell, type GroupParts } from './group-shell.js';
import { HintWatch } from './hint-watch.js';
import type { ResolvedLeadOptions } from './lead-options.js';
import { LeaseLane } from './lease-lane.js';
import { MAX_STANDBY_RANK, type HeartbeatResult, type LeaseHint } from './lease-store.js';
import { MachineLoop } from './machine-loop.js';
import { Migration } from './migration.js';
import { ObserverHub } from './observer-hub.js';
import { SessionShell, type HeartbeatQuestion, type SessionParts } from './session-shell.js';
import { StopSignals } from './stop-signals.js';
import { StoreCaller } from './store-caller.js';

/** How long one place in the queue of standbys waits for the one before it, in ms. */
const RANK_STEP_MS = 2;
/** How long hints that name no group are collected, in ms. */
const HINT_PAUSE_MS = 10;

/** What the shell is made of; everything that touches the world comes in here. */
export type ShellParts = SessionParts & GroupParts & { readonly migrate: boolean };

/**
 * The shell around the machines: joins the session, the groups, the lane of lease calls and the observers. It decides nothing that the
 * machines could decide.
 */
export class CoordinatorShell {
  readonly events: EventStream = new EventStream();
  readonly #parts: ShellParts;
  readonly #caller: StoreCaller;
  readonly #migration: Migration;
  readonly #loop: MachineLoop;
  readonly #session: SessionShell;
  readonly #lane: LeaseLane;
  readonly #abandoned: AbandonedSessions;
  readonly #groups: GroupShell;
  readonly #observers: ObserverHub;
  readonly #hints: HintWatch;
  readonly #stopSignals = new StopSignals();
  #standbyRank = 0;
  #isHintPending = false;
  #closing: Promise<void> | null = null;

  constructor(parts: ShellParts) {
    const { store, timings, clock, random } = parts;
    this.#parts = parts;
    this.#caller = new StoreCaller(clock, this.events);
    this.#loop = new MachineLoop(clock, {
      runDue: (nowMs) => this.#session.runDue(nowMs) || this.#groups.runDue(nowMs, this.#expiryDelayMs),
      nextDueMs: (nowMs) => Math.min(this.#session.nextDueMs(nowMs), this.#groups.nextDueMs(this.#expiryDelayMs)),
    });
    this.#abandoned = new AbandonedSessions(store, this.#caller, clock, timings, random);
    this.#migration = new Migration(store, this.#caller, parts.migrate);
    this.#session = new SessionShell(parts, this.#caller, this.#migration, this.events, this.#loop, {
      heartbeatQuestion: () => ({ holders: this.#groups.standbys.holderIds, mark: this.#lane.mark() }),
      onLive: (sessionId) => {
        this.#lane.start(sessionId);
        void this.#hints.start();
        this.#groups.sessionLive(sessionId);
      },
      onLost: (sessionId, reason) => {
        this.#lane.stop();
        this.#groups.sessionLost(sessionId, reason);
        // Also if the store says that it is over: after a failover others may see it live (T6).
        this.#abandoned.abandon(sessionId);
      },
      onAcknowledged: (...answer) => this.#acknowledged(...answer),
    });
    this.#lane = new LeaseLane(store, this.#caller, clock, timings, random, {
      onClaimed: (...answer) => this.#groups.onClaimed(...answer),
      onReleased: (...answer) => this.#groups.onReleased(...answer),
      onRead: (...answer) => this.#groups.onRead(...answer),
      onHeld: (...answer) => this.#groups.onHeld(...answer),
    });
    this.#groups = new GroupShell(parts, this.#session, this.#lane, this.#abandoned, this.events, this.#loop);
    this.#observers = new ObserverHub(store, this.#caller, this.#migration, clock, timings);
    this.#hints = new HintWatch({ ...parts, migration: this.#migration }, this.#caller, (hint) =>
      this.#loop.enter(() => this.#hinted(hint)),
    );
  }

  lead(groupId: string, work: Work<unknown>, options: ResolvedLeadOptions, signal: LeadOptions['signal']): Promise<LeadResult<unknown>> {
    this.#assertOpen(`lead group ${JSON.stringify(groupId)}`);
    if (this.#groups.has(groupId)) {
      throw new WbError(
        'GROUP_ALREADY_LED',
        `group ${JSON.stringify(groupId)} is already led by this coordinator: a group has one work per coordinator`,
      );
    }
    if (signal?.aborted === true) return Promise.resolve({ reason: 'stopped' });
    const contention = this.#groups.contend(groupId, work, options);
    if (signal) {
      const remove = this.#stopSignals.add(signal, () => this.#loop.enter(() => this.#groups.stop(contention, 'stopped')));
      contention.onFinished(remove);
    }
    this.#loop.enter(() => {
      this.#session.start();
      this.#groups.begin(contention);
    });
    return contention.result;
  }

  resign(groupId: string): Promise<boolean> {
    return this.#groups.resign(groupId);
  }

  async call<T>(operation: string, send: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.#assertOpen(`call \`${operation}\``);
    await this.#migration.ensure(this.#parts.timings.callDeadlineMs);
    return await this.#caller.call(operation, this.#parts.timings.callDeadlineMs, send);
  }

  observe(groupId: string): Observer {
    this.#assertOpen(`observe group ${JSON.stringify(groupId)}`);
    void this.#hints.start();
    return this.#observers.observe(groupId);
  }

  status(): CoordinatorStatus {
    const session = this.#session.state;
    return {
      memberId: this.#parts.memberId,
      session: {
        state: session?.kind ?? 'none',
        reason: session?.reason ?? null,
        sessionId: session !== null && 'sessionId' in session ? session.sessionId : null,
        trustedForMs: this.#session.trustedForMs,
      },
      storeFault: this.#caller.fault,
      groups: this.#groups.status(),
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#observers.close();
    await this.#groups.stopAll();
    // The heartbeat is the last thing to stop (T7).
    await Promise.all([this.#session.close(), this.#abandoned.finish()]);
    this.#lane.stop();
    this.#loop.stop();
    await this.#hints.close();
    this.#caller.abortAll(new StoreError('STORE_CLOSED', 'the coordinator is closed'));
    this.events.close();
  }

  #assertOpen(what: string): void {
    if (this.#closing) throw new WbError('COORDINATOR_CLOSED', `cannot ${what}: the coordinator is closed`);
  }

  #acknowledged(
    { standbyRank, grantCount, holders }: HeartbeatResult & { readonly alive: true },
    { mark }: HeartbeatQuestion,
    sentAt: LocalInstant,
  ): void {
    this.#standbyRank = standbyRank;
    this.#lane.compareGrants(grantCount, mark);
    const { orphaned, released, suspect } = this.#groups.standbys.update(holders, sentAt.monotonicMs);
    if (orphaned.length > 0) this.#inTurn(() => this.#groups.holdersGone(orphaned, 'expired'));
    if (released.length > 0) this.#inTurn(() => this.#groups.holdersGone(released, 'released'));
    if (suspect.length > 0) this.#inTurn(() => this.#read(suspect));
  }

  #hinted({ groupIds, resign, freed }: LeaseHint): void {
    if (this.#closing) return;
    if (resign === true) {
      if (groupIds === undefined || groupIds.some((groupId) => this.#groups.isLeading(groupId))) this.#lane.lookAtHeld();
      return;
    }
    this.#observers.readSoon();
    if (groupIds !== undefined) {
      const waiting = groupIds.filter((groupId) => this.#groups.isStandby(groupId));
      if (waiting.length === 0) return;
      // Those behind the first look whether there is still something to claim.
      if (freed === true && this.#standbyRank === 0) this.#groups.holdersGone(waiting, 'released');
      else this.#inTurn(() => this.#read(waiting));
      return;
    }
    if (this.#isHintPending) return;
    this.#isHintPending = true;
    this.#loop.later(HINT_PAUSE_MS, () => {
      this.#isHintPending = false;
      this.#session.move({ kind: 'heartbeat-wanted' });
    });
  }

  #read(groupIds: readonly string[]): void {
    for (const groupId of groupIds) this.#lane.read(groupId);
  }

  /** Runs `event` after a delay that keeps a crowd of standbys from racing for every row. */
  #inTurn(event: () => void): void {
    if (this.#standbyRank === 0) event();
    else this.#loop.later(this.#rankDelayMs, event);
  }

  get #rankDelayMs(): number {
    return Math.min(this.#standbyRank, MAX_STANDBY_RANK) * RANK_STEP_MS;
  }

  get #expiryDelayMs(): number {
    return this.#parts.store.capabilities.precisionMs + this.#rankDelayMs;
  }
}
