/**
 * The session of a process, as a pure state machine: `joining → live → lost → joining …, → closed`. No clock, timer,
 * promise or I/O inside; `now` comes with every event.
 *
 * @module
 */
import { assertNever } from './assert-never.js';
import type { LocalInstant } from './clock.js';
import type { SessionReason } from './reasons.js';
import type { Timings } from './timings.js';
import * as trust from './trust.js';

/** The state of the session. Instants in `…AtMs` are on the monotonic clock. */
export type SessionState =
  /** Wants a session. `openAtMs: null`: an open is under way. */
  | { readonly kind: 'joining'; readonly reason: SessionReason; readonly failureCount: number; readonly openAtMs: number | null }
  /** Has one, trusted until `trustedUntil`. `heartbeatAtMs: null`: a heartbeat is under way; never two (F11). */
  | {
      readonly kind: 'live';
      readonly reason: SessionReason;
      readonly sessionId: string;
      readonly trustedUntil: LocalInstant;
      readonly failureCount: number;
      readonly heartbeatAtMs: number | null;
    }
  /** Lost it, for good: the next one is another incarnation (F3). */
  | { readonly kind: 'lost'; readonly reason: SessionReason; readonly sessionId: string; readonly rejoinAtMs: number }
  /** Closing it in the store. Given up at `untilMs`, when it has expired by itself. `closeAtMs: null`: a close is under way. */
  | {
      readonly kind: 'closing';
      readonly reason: SessionReason;
      readonly sessionId: string;
      readonly untilMs: number;
      readonly failureCount: number;
      readonly closeAtMs: number | null;
    }
  | { readonly kind: 'closed'; readonly reason: SessionReason };

/** What happens to a session. `jitter` is random, from 0 to below 1. */
export type SessionEvent =
  | { readonly kind: 'tick' }
  /** The store opened the session that was asked for at `sentAt`, read before the call was sent (T2). */
  | { readonly kind: 'opened'; readonly sessionId: string; readonly sentAt: LocalInstant }
  | { readonly kind: 'open-failed'; readonly jitter: number }
  /** The store extended the session. */
  | { readonly kind: 'heartbeat-acknowledged'; readonly sessionId: string; readonly sentAt: LocalInstant }
  /** A heartbeat failed, perhaps after it took effect: that is not a "no" (T5). */
  | { readonly kind: 'heartbeat-failed'; readonly sessionId: string; readonly sentAt: LocalInstant; readonly jitter: number }
  /** The store said that the session is dead: an authoritative "no" (T5). */
  | { readonly kind: 'refused'; readonly sessionId: string }
  /** Something wants to know more now: a hint, or `lease.ensure`. */
  | { readonly kind: 'heartbeat-wanted' }
  /** All groups are closed; the heartbeat is the last thing to stop (T7). */
  | { readonly kind: 'close' }
  | { readonly kind: 'close-acknowledged' }
  | { readonly kind: 'close-failed'; readonly jitter: number };

/** What the shell has to do. */
export type SessionEffect =
  | { readonly kind: 'open' }
  | { readonly kind: 'heartbeat'; readonly sessionId: string }
  | { readonly kind: 'close'; readonly sessionId: string }
  /** Groups may be claimed with this session from now on. */
  | { readonly kind: 'announce-live'; readonly sessionId: string }
  /** Every lease of this session is over. */
  | { readonly kind: 'announce-lost'; readonly sessionId: string; readonly reason: 'expired' | 'lost-trust' };

/** A state, and what to do because of it. */
export interface SessionStep {
  readonly state: SessionState;
  readonly effects: readonly SessionEffect[];
}

/** The state of a process that wants its first session. */
export function initialSession(now: LocalInstant): SessionState {
  return { kind: 'joining', reason: 'started', failureCount: 0, openAtMs: now.monotonicMs };
}

/**
 * The next state. Whatever the event: when the trust of a live session has passed by either clock, it is lost first (T3, T4).
 * Events about another session than the current one change nothing.
 */
export function sessionTransition(state: SessionState, event: SessionEvent, now: LocalInstant, timings: Timings): SessionStep {
  if (state.kind === 'live' && trust.hasPassed(state.trustedUntil, now)) {
    const lost = lose(state, 'lost-trust', now);
    // Nobody closes twice: the event is not lost with the session.
    return event.kind === 'close' ? { state: { kind: 'closed', reason: 'closed' }, effects: lost.effects } : lost;
  }
  switch (event.kind) {
    case 'tick':
      return tick(state, now);
    case 'opened':
      if (state.kind !== 'joining') return stay(state);
      return opened(state, event, now, timings);
    case 'open-failed':
      if (state.kind !== 'joining') return stay(state);
      return openFailed(state, event.jitter, now, timings);
    case 'heartbeat-acknowledged':
      if (state.kind !== 'live' || state.sessionId !== event.sessionId) return stay(state);
      return tick(
        {
          ...state,
          trustedUntil: trust.trustedUntil(event.sentAt, timings),
          failureCount: 0,
          heartbeatAtMs: event.sentAt.monotonicMs + timings.heartbeatMs,
        },
        now,
      );
    case 'heartbeat-failed': {
      if (state.kind !== 'live' || state.sessionId !== event.sessionId) return stay(state);
      const failureCount = state.failureCount + 1;
      // Counted from when it was sent: after a call that used up its whole deadline the next one follows at once (T2 counts on that).
      const heartbeatAtMs = event.sentAt.monotonicMs + retryDelayMs(failureCount, event.jitter, timings);
      return tick({ ...state, failureCount, heartbeatAtMs }, now);
    }
    case 'refused':
      if (state.kind !== 'live' || state.sessionId !== event.sessionId) return stay(state);
      return lose(state, 'expired', now);
    case 'heartbeat-wanted':
      if (state.kind !== 'live' || state.heartbeatAtMs === null) return stay(state);
      return tick({ ...state, heartbeatAtMs: now.monotonicMs }, now);
    case 'close':
      return close(state, now, timings);
    case 'close-acknowledged':
      return state.kind === 'closing' ? stay({ kind: 'closed', reason: 'closed' }) : stay(state);
    case 'close-failed': {
      if (state.kind !== 'closing') return stay(state);
      const failureCount = state.failureCount + 1;
      return tick({ ...state, failureCount, closeAtMs: now.monotonicMs + retryDelayMs(failureCount, event.jitter, timings) }, now);
    }
    default:
      return assertNever(event);
  }
}

/** When the session wants its next `tick`, on the monotonic clock; `null`: not before another event. */
export function sessionDeadlineMs(state: SessionState): number | null {
  switch (state.kind) {
    case 'joining':
      return state.openAtMs;
    case 'live':
      return Math.min(state.trustedUntil.monotonicMs, state.heartbeatAtMs ?? Number.POSITIVE_INFINITY);
    case 'lost':
      return state.rejoinAtMs;
    case 'closing':
      return Math.min(state.untilMs, state.closeAtMs ?? Number.POSITIVE_INFINITY);
    case 'closed':
      return null;
    default:
      return assertNever(state);
  }
}

function tick(state: SessionState, now: LocalInstant): SessionStep {
  switch (state.kind) {
    case 'joining':
      if (state.openAtMs === null || now.monotonicMs < state.openAtMs) return stay(state);
      return { state: { ...state, openAtMs: null }, effects: [{ kind: 'open' }] };
    case 'live':
      // An acknowledgement may come too late to be worth anything.
      if (trust.hasPassed(state.trustedUntil, now)) return lose(state, 'lost-trust', now);
      if (state.heartbeatAtMs === null || now.monotonicMs < state.heartbeatAtMs) return stay(state);
      return { state: { ...state, heartbeatAtMs: null }, effects: [{ kind: 'heartbeat', sessionId: state.sessionId }] };
    case 'lost':
      if (now.monotonicMs < state.rejoinAtMs) return stay(state);
      return tick({ kind: 'joining', reason: 'rejoining', failureCount: 0, openAtMs: now.monotonicMs }, now);
    case 'closing':
      if (now.monotonicMs >= state.untilMs) return stay({ kind: 'closed', reason: 'closed' });
      if (state.closeAtMs === null || now.monotonicMs < state.closeAtMs) return stay(state);
      return { state: { ...state, closeAtMs: null }, effects: [{ kind: 'close', sessionId: state.sessionId }] };
    case 'closed':
      return stay(state);
    default:
      return assertNever(state);
  }
}

function opened(
  state: SessionState & { kind: 'joining' },
  event: SessionEvent & { kind: 'opened' },
  now: LocalInstant,
  timings: Timings,
): SessionStep {
  const trustedUntil = trust.trustedUntil(event.sentAt, timings);
  // The reply took longer than the session is worth: that one is left to expire.
  if (trust.hasPassed(trustedUntil, now)) return openFailed(state, 0, now, timings);
  return {
    state: {
      kind: 'live',
      reason: 'opened',
      sessionId: event.sessionId,
      trustedUntil,
      failureCount: 0,
      heartbeatAtMs: event.sentAt.monotonicMs + timings.heartbeatMs,
    },
    effects: [{ kind: 'announce-live', sessionId: event.sessionId }],
  };
}

function openFailed(state: SessionState & { kind: 'joining' }, jitter: number, now: LocalInstant, timings: Timings): SessionStep {
  const failureCount = state.failureCount + 1;
  return stay({ ...state, failureCount, openAtMs: now.monotonicMs + retryDelayMs(failureCount, jitter, timings) });
}

function lose(state: SessionState & { kind: 'live' }, reason: 'expired' | 'lost-trust', now: LocalInstant): SessionStep {
  return {
    state: { kind: 'lost', reason, sessionId: state.sessionId, rejoinAtMs: now.monotonicMs },
    effects: [{ kind: 'announce-lost', sessionId: state.sessionId, reason }],
  };
}

function close(state: SessionState, now: LocalInstant, timings: Timings): SessionStep {
  switch (state.kind) {
    case 'live':
      return tick(
        {
          kind: 'closing',
          reason: 'closed',
          sessionId: state.sessionId,
          untilMs: now.monotonicMs + timings.ttlMs,
          failureCount: 0,
          closeAtMs: now.monotonicMs,
        },
        now,
      );
    case 'joining':
    case 'lost':
      // A session whose opening is still under way has no lease: it is left to expire.
      return stay({ kind: 'closed', reason: 'closed' });
    case 'closing':
    case 'closed':
      return stay(state);
    default:
      return assertNever(state);
  }
}

/** Growing with the failures in a row, spread by `jitter` so that an outage is not followed by a stampede, at most one heartbeat (T9). */
export function retryDelayMs(failureCount: number, jitter: number, timings: Timings): number {
  const fullMs = Math.min(timings.heartbeatMs, (timings.heartbeatMs / 16) * 2 ** Math.min(failureCount - 1, 10));
  return fullMs * (0.5 + jitter / 2);
}

function stay(state: SessionState): SessionStep {
  return { state, effects: [] };
}
