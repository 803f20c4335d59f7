import type { Clock, LocalInstant } from './clock.js';
import { StoreError } from './errors.js';
import type { EventStream } from './event-stream.js';
import type { GrantMark } from './lease-lane.js';
import type { HeartbeatResult, LeaseStore } from './lease-store.js';
import type { MachineLoop } from './machine-loop.js';
import type { Machines } from './machines.js';
import type { Migration } from './migration.js';
import { initialSession, sessionDeadlineMs, type SessionEffect, type SessionEvent, type SessionState } from './session-machine.js';
import type { StoreCaller } from './store-caller.js';
import type { Timings } from './timings.js';

/** What the session needs from outside; everything that touches the world comes in here. */
export interface SessionParts {
  readonly store: LeaseStore;
  readonly memberId: string;
  readonly metadata: Readonly<Record<string, string>> | undefined;
  readonly timings: Timings;
  readonly clock: Clock;
  readonly machines: Machines;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly newSessionId: () => string;
}

/** Whom the session tells. */
export interface SessionListener {
  /** What a heartbeat asks about, when it is sent. */
  heartbeatQuestion(): HeartbeatQuestion;
  onLive(sessionId: string): void;
  onLost(sessionId: string, reason: 'expired' | 'lost-trust'): void;
  /** An acknowledged heartbeat brought this in answer to that question, which was sent then; the session is still live. */
  onAcknowledged(answer: HeartbeatResult & { readonly alive: true }, question: HeartbeatQuestion, sentAt: LocalInstant): void;
}

/** The holders that a heartbeat asks about, and the count of grants that its answer is compared with. */
export interface HeartbeatQuestion {
  readonly holders: readonly string[];
  readonly mark: GrantMark;
}

/** What became of one heartbeat. */
export interface HeartbeatOutcome {
  readonly sentAt: LocalInstant;
  readonly isAlive: boolean;
}

/** The shell around the session's machine: opens, extends and closes it in the store. */
export class SessionShell {
  readonly #parts: SessionParts;
  readonly #caller: StoreCaller;
  readonly #events: EventStream;
  readonly #loop: MachineLoop;
  readonly #migration: Migration;
  readonly #listener: SessionListener;
  readonly #heartbeatWaiters = new Set<(outcome: HeartbeatOutcome) => void>();
  #state: SessionState | null = null;
  /** When the trust of the live session was first seen to have passed, before the machine has heard of it. */
  #overAt: LocalInstant | null = null;
  #onClosed: (() => void) | null = null;
  /** Ends the heartbeat of a session that is over: there is one under way at a time, also when the next session begins (F11). */
  #heartbeats = new AbortController();

  constructor(
    parts: SessionParts,
    caller: StoreCaller,
    migration: Migration,
    events: EventStream,
    loop: MachineLoop,
    listener: SessionListener,
  ) {
    this.#parts = parts;
    this.#caller = caller;
    this.#events = events;
    this.#loop = loop;
    this.#listener = listener;
    this.#migration = migration;
  }

  /** `null` before the first group is led. */
  get state(): SessionState | null {
    return this.#state;
  }

  /** The id of the live session. */
  get liveId(): string | null {
    return this.#state?.kind === 'live' ? this.#state.sessionId : null;
  }

  /** How long the session is still trusted, in ms; 0 unless it is live (T2–T4). Once 0, it stays so until the next session. */
  get trustedForMs(): number {
    if (this.#state?.kind !== 'live' || this.#overAt !== null) return 0;
    const now = this.#parts.clock.now();
    const trustedForMs = this.#parts.machines.remainingTrustMs(this.#state.trustedUntil, now);
    // Whoever asked has been told; a wall clock that is set back before the machine hears of it must not take that back.
    if (trustedForMs === 0) this.#overAt = now;
    return trustedForMs;
  }

  /** Begins, if it has not yet. */
  start(): void {
    if (this.#state !== null) return;
    this.#state = initialSession(this.#parts.clock.now());
    this.#events.emit({ kind: 'session', from: 'joining', to: 'joining', reason: this.#state.reason, sessionId: null });
    this.move({ kind: 'tick' });
  }

  move(event: SessionEvent): void {
    const before = this.#state;
    if (before === null) return;
    const now = this.#overAt ?? this.#parts.clock.now();
    this.#overAt = null;
    const { state, effects } = this.#parts.machines.session(before, event, now, this.#parts.timings);
    this.#state = state;
    if (state.kind !== before.kind) {
      const sessionId = 'sessionId' in state ? state.sessionId : 'sessionId' in before ? before.sessionId : null;
      this.#events.emit({ kind: 'session', from: before.kind, to: state.kind, reason: state.reason, sessionId });
    }
    for (const effect of effects) this.#act(effect);
    // No heartbeat of this session will be heard of any more.
    if (before.kind === 'live' && state.kind !== 'live') this.#tellWaiters({ sentAt: now, isAlive: false });
    if (state.kind === 'closed') this.#onClosed?.();
  }

  /** Loses a session whose time is up (T4, T10); whether it did. */
  loseIfOver(): boolean {
    if (this.#state?.kind !== 'live' || this.trustedForMs > 0) return false;
    this.move({ kind: 'tick' });
    return true;
  }

  /** Handles what is due; whether there was anything. */
  runDue(nowMs: number): boolean {
    if (this.loseIfOver()) return true;
    if (this.#state === null || (sessionDeadlineMs(this.#state) ?? Infinity) > nowMs) return false;
    this.move({ kind: 'tick' });
    return true;
  }

  /** When something is due next, on the monotonic clock. */
  nextDueMs(nowMs: number): number {
    if (this.#state === null) return Infinity;
    const deadlineMs = sessionDeadlineMs(this.#state) ?? Infinity;
    // Nothing wakes a process when the machine slept or its wall clock was set: look at least once per heartbeat (T3).
    return this.#state.kind === 'live' ? Math.min(deadlineMs, nowMs + this.#parts.timings.heartbeatMs) : deadlineMs;
  }

  /** Asks for a heartbeat now, and resolves with what became of the next one. */
  nextHeartbeat(): Promise<HeartbeatOutcome> {
    return new Promise((resolve) => {
      this.#heartbeatWaiters.add(resolve);
      this.#loop.enter(() => this.move({ kind: 'heartbeat-wanted' }));
    });
  }

  /** Closes the session in the store; resolves when that is done, or when it has expired by itself. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#onClosed = resolve;
      this.#loop.enter(() => {
        if (this.#state === null) resolve();
        else this.move({ kind: 'close' });
      });
    });
  }

  #act(effect: SessionEffect): void {
    switch (effect.kind) {
      case 'open':
        void this.#open();
        return;
      case 'heartbeat':
        void this.#heartbeat(effect.sessionId);
        return;
      case 'close':
        void this.#close(effect.sessionId);
        return;
      case 'announce-live':
        this.#listener.onLive(effect.sessionId);
        return;
      case 'announce-lost':
        this.#heartbeats.abort(new StoreError('STORE_TIMEOUT', 'the session is over: the answer no longer matters', { isRetryable: true }));
        this.#heartbeats = new AbortController();
        this.#listener.onLost(effect.sessionId, effect.reason);
    }
  }

  async #open(): Promise<void> {
    const { store, memberId, metadata, newSessionId, random, timings, clock } = this.#parts;
    try {
      // Creating tables may take longer than a heartbeat may; but a request that was lost must not hold up a candidate for long (T9).
      const failureCount = this.#state?.kind === 'joining' ? this.#state.failureCount : 0;
      await this.#migration.ensure(Math.min(timings.ttlMs, timings.callDeadlineMs * 2 ** failureCount));
      const sessionId = newSessionId();
      const sentAt = clock.now();
      const session = { sessionId, memberId, ttlMs: timings.ttlMs, ...(metadata && { metadata }) };
      await this.#caller.call('openSession', timings.callDeadlineMs, (signal) => store.openSession(session, { signal }));
      this.#loop.enter(() => this.move({ kind: 'opened', sessionId, sentAt }));
    } catch {
      // Reported by the caller. The next attempt has a new id: this one may yet be opened, and expires.
      this.#loop.enter(() => this.move({ kind: 'open-failed', jitter: random() }));
    }
  }

  async #heartbeat(sessionId: string): Promise<void> {
    const { store, timings, clock, random } = this.#parts;
    const question = this.#listener.heartbeatQuestion();
    const sentAt = clock.now();
    let answer: HeartbeatResult;
    try {
      answer = await this.#caller.call(
        'heartbeat',
        timings.callDeadlineMs,
        (signal) => store.heartbeat({ sessionId, holders: question.holders }, { signal }),
        this.#heartbeats.signal,
      );
    } catch {
      this.#loop.enter(() => {
        this.move({ kind: 'heartbeat-failed', sessionId, sentAt, jitter: random() });
        this.#tellWaiters({ sentAt, isAlive: false });
      });
      return;
    }
    this.#loop.enter(() => {
      if (!answer.alive) {
        this.move({ kind: 'refused', sessionId });
        return;
      }
      this.move({ kind: 'heartbeat-acknowledged', sessionId, sentAt });
      if (this.liveId !== sessionId) return;
      this.#tellWaiters({ sentAt, isAlive: true });
      this.#listener.onAcknowledged(answer, question, sentAt);
    });
  }

  async #close(sessionId: string): Promise<void> {
    const { store, timings, random } = this.#parts;
    try {
      await this.#caller.call('closeSession', timings.callDeadlineMs, (signal) => store.closeSession(sessionId, { signal }));
      this.#loop.enter(() => this.move({ kind: 'close-acknowledged' }));
    } catch {
      this.#loop.enter(() => this.move({ kind: 'close-failed', jitter: random() }));
    }
  }

  #tellWaiters(outcome: HeartbeatOutcome): void {
    const waiters = [...this.#heartbeatWaiters];
    this.#heartbeatWaiters.clear();
    for (const tell of waiters) tell(outcome);
  }
}
