/**
 * A group that this member contends for, as a pure state machine: `standby → claiming → leading → yielding → standby …, → closed`.
 * No clock, timer, promise or I/O inside.
 *
 * What each state means for safety:
 *
 * - **claiming** is left only by a definite answer, or with its session: the shell repeats a claim of unknown outcome (T5).
 * - **yielding, settling**: the work has been told to stop and has not yet. The lease is kept (T7).
 * - **yielding, releasing**: a release may have been sent, so (session, term) is over whatever its outcome (the trap of the late release). The shell repeats
 *   it until the answer is definite; only then can the group be claimed again, under a new term.
 *
 * @module
 */
import { assertNever } from './assert-never.js';
import type { GroupReason, YieldReason } from './reasons.js';

/** The own lease. */
export interface HeldLease {
  readonly sessionId: string;
  readonly term: number;
}

interface GroupBase {
  readonly reason: GroupReason;
  /** The session that may claim; `null` while there is none. */
  readonly sessionId: string | null;
  /** Failures of the work in a row, for the back-off. */
  readonly failureCount: number;
}

/** What becomes of a group that yields, when it has yielded. */
export type AfterYield = { readonly kind: 'standby'; readonly pauseMs: number } | { readonly kind: 'closed'; readonly reason: GroupReason };

/** The state of a group. Instants in `…AtMs` are on the monotonic clock. */
export type GroupState =
  /** Waits. `holderId` is the session that is known to hold the group; with `null` it is claimed as soon as `notBeforeMs` and a session allow. */
  | (GroupBase & { readonly kind: 'standby'; readonly holderId: string | null; readonly notBeforeMs: number })
  /** A claim is on its way. `stopReason`: a grant is to be given back at once. */
  | (GroupBase & { readonly kind: 'claiming'; readonly stopReason: 'stopped' | 'closed' | null })
  | (GroupBase & { readonly kind: 'leading'; readonly lease: HeldLease; readonly startedAtMs: number; readonly beatAtMs: number })
  | (GroupBase & {
      readonly kind: 'yielding';
      readonly reason: YieldReason;
      readonly lease: HeldLease;
      readonly phase: 'settling' | 'releasing';
      /** When unsettled work counts as an overrun; `null`: reported, or settled. */
      readonly overrunAtMs: number | null;
      readonly after: AfterYield;
    })
  | (GroupBase & { readonly kind: 'closed' });

/** What happens to a group. */
export type GroupEvent =
  | { readonly kind: 'tick' }
  | { readonly kind: 'session-live'; readonly sessionId: string }
  | { readonly kind: 'session-lost'; readonly sessionId: string; readonly reason: 'expired' | 'lost-trust' }
  /** Another session holds the group. */
  | { readonly kind: 'holder-seen'; readonly holderId: string }
  /** The holder is dead, or has released the group: a claim is worth trying. */
  | { readonly kind: 'holder-gone'; readonly reason: 'expired' | 'released' | 'free' }
  | { readonly kind: 'granted'; readonly sessionId: string; readonly term: number }
  | { readonly kind: 'refused'; readonly sessionId: string; readonly holderId: string }
  | { readonly kind: 'refused-busy'; readonly sessionId: string }
  /** The work reports progress. */
  | { readonly kind: 'beat' }
  /** The work returned or threw. */
  | { readonly kind: 'work-settled'; readonly failed: boolean }
  /** The release has a definite answer, or is pointless because its session is lost. */
  | { readonly kind: 'released' }
  /** The store no longer has the lease that this group thinks it holds. */
  | { readonly kind: 'lease-missing'; readonly term: number }
  | { readonly kind: 'resign' }
  | { readonly kind: 'stop'; readonly reason: 'stopped' | 'closed' };

/** What the shell has to do. */
export type GroupEffect =
  | { readonly kind: 'claim'; readonly sessionId: string }
  | { readonly kind: 'start-work'; readonly lease: HeldLease }
  | { readonly kind: 'abort-work'; readonly reason: YieldReason }
  | { readonly kind: 'release'; readonly lease: HeldLease }
  | { readonly kind: 'overrun'; readonly lease: HeldLease; readonly reason: YieldReason }
  | { readonly kind: 'finish'; readonly reason: GroupReason };

/** A state, and what to do because of it. */
export interface GroupStep {
  readonly state: GroupState;
  readonly effects: readonly GroupEffect[];
}

/** What the user and the timings decide, in ms. */
export interface GroupPolicy {
  readonly onEnd: 'stop' | 'contend';
  readonly onError: 'contend' | 'rethrow';
  readonly backOff: { readonly minMs: number; readonly maxMs: number; readonly factor: number };
  readonly settleDeadlineMs: number;
  readonly watchdogMs: number | null;
  /** How long to let the others go first, after a resignation or a failure. */
  readonly resignPauseMs: number;
  /** How long to wait after a claim that met a locked row. */
  readonly busyPauseMs: number;
}

type Standby = GroupState & { kind: 'standby' };
type Claiming = GroupState & { kind: 'claiming' };
type Leading = GroupState & { kind: 'leading' };
type Yielding = GroupState & { kind: 'yielding' };

/** The state of a group that is contended for from now on. `sessionId`: the live session, if there is one. */
export function initialGroup(sessionId: string | null): GroupState {
  return { kind: 'standby', reason: 'started', sessionId, failureCount: 0, holderId: null, notBeforeMs: Number.NEGATIVE_INFINITY };
}

/** The next state. The shell has moved the session's machine first, so that a lost session is known before anything else is believed (T10). */
export function groupTransition(state: GroupState, event: GroupEvent, nowMs: number, policy: GroupPolicy): GroupStep {
  switch (state.kind) {
    case 'standby':
      return fromStandby(state, event, nowMs);
    case 'claiming':
      return fromClaiming(state, event, nowMs, policy);
    case 'leading':
      return fromLeading(state, event, nowMs, policy);
    case 'yielding':
      return fromYielding(state, event, nowMs);
    case 'closed':
      return stay(state);
    default:
      return assertNever(state);
  }
}

/** When the group wants its next `tick`, on the monotonic clock; `null`: not before another event. */
export function groupDeadlineMs(state: GroupState, policy: GroupPolicy): number | null {
  switch (state.kind) {
    case 'standby':
      return state.holderId === null && state.sessionId !== null ? state.notBeforeMs : null;
    case 'leading':
      return policy.watchdogMs === null ? null : state.beatAtMs + policy.watchdogMs;
    case 'yielding':
      return state.overrunAtMs;
    case 'claiming':
    case 'closed':
      return null;
    default:
      return assertNever(state);
  }
}

function fromStandby(state: Standby, event: GroupEvent, nowMs: number): GroupStep {
  switch (event.kind) {
    case 'tick':
      return claimIfDue(state, nowMs, state.reason);
    case 'session-live':
      // What was known of the holder came with the session that is gone.
      return claimIfDue(
        { ...state, sessionId: event.sessionId, holderId: null },
        nowMs,
        state.reason === 'started' ? 'started' : 'rejoined',
      );
    case 'session-lost':
      return stay({ ...state, sessionId: null });
    case 'holder-seen':
      return stay({ ...state, holderId: event.holderId });
    case 'holder-gone':
      return claimIfDue({ ...state, holderId: null, reason: event.reason }, nowMs, event.reason);
    case 'stop':
      return finish(state, event.reason);
    default:
      return stay(state);
  }
}

function fromClaiming(state: Claiming, event: GroupEvent, nowMs: number, policy: GroupPolicy): GroupStep {
  switch (event.kind) {
    case 'granted': {
      if (event.sessionId !== state.sessionId) return stay(state);
      const lease: HeldLease = { sessionId: event.sessionId, term: event.term };
      if (state.stopReason !== null)
        return release({ ...base(state), lease, after: { kind: 'closed', reason: state.stopReason } }, state.stopReason);
      return {
        // Written out: what a spread makes has a hidden class of its own each time, which costs more than the state.
        state: {
          kind: 'leading',
          reason: 'elected',
          sessionId: state.sessionId,
          failureCount: state.failureCount,
          lease,
          startedAtMs: nowMs,
          beatAtMs: nowMs,
        },
        effects: [{ kind: 'start-work', lease }],
      };
    }
    case 'refused':
      if (event.sessionId !== state.sessionId) return stay(state);
      if (state.stopReason !== null) return finish(state, state.stopReason);
      return stay(standby(base(state), 'held', event.holderId, Number.NEGATIVE_INFINITY));
    case 'refused-busy':
      if (event.sessionId !== state.sessionId) return stay(state);
      if (state.stopReason !== null) return finish(state, state.stopReason);
      return stay(standby(base(state), 'busy', null, nowMs + policy.busyPauseMs));
    case 'session-lost':
      if (state.stopReason !== null) return finish(state, state.stopReason);
      return stay(standby({ ...base(state), sessionId: null }, event.reason, null, Number.NEGATIVE_INFINITY));
    case 'stop':
      return stay({ ...state, stopReason: event.reason });
    default:
      return stay(state);
  }
}

function fromLeading(state: Leading, event: GroupEvent, nowMs: number, policy: GroupPolicy): GroupStep {
  const again = (pauseMs: number): AfterYield => ({ kind: 'standby', pauseMs });
  switch (event.kind) {
    case 'beat':
      return stay({ ...state, beatAtMs: nowMs });
    case 'tick': {
      if (policy.watchdogMs === null || nowMs < state.beatAtMs + policy.watchdogMs) return stay(state);
      const failed = countFailure(state, nowMs, policy);
      return settle(failed, 'hung', again(failurePauseMs(failed.failureCount, policy)), nowMs, policy);
    }
    case 'work-settled': {
      if (!event.failed) {
        const after: AfterYield = policy.onEnd === 'stop' ? { kind: 'closed', reason: 'work-ended' } : again(policy.backOff.minMs);
        return release({ ...base(state), failureCount: 0, lease: state.lease, after }, 'work-ended');
      }
      const failed = countFailure(state, nowMs, policy);
      const after: AfterYield =
        policy.onError === 'rethrow' ? { kind: 'closed', reason: 'work-failed' } : again(failurePauseMs(failed.failureCount, policy));
      return release({ ...base(failed), lease: state.lease, after }, 'work-failed');
    }
    case 'session-lost':
      if (event.sessionId !== state.lease.sessionId) return stay(state);
      return settle({ ...state, sessionId: null }, event.reason, again(0), nowMs, policy);
    case 'lease-missing':
      if (event.term !== state.lease.term) return stay(state);
      return settle(state, 'lost-lease', again(0), nowMs, policy);
    case 'resign':
      return settle(state, 'resigned', again(policy.resignPauseMs), nowMs, policy);
    case 'stop':
      return settle(state, event.reason, { kind: 'closed', reason: event.reason }, nowMs, policy);
    default:
      return stay(state);
  }
}

function fromYielding(state: Yielding, event: GroupEvent, nowMs: number): GroupStep {
  switch (event.kind) {
    case 'tick':
      if (state.overrunAtMs === null || nowMs < state.overrunAtMs) return stay(state);
      return { state: { ...state, overrunAtMs: null }, effects: [{ kind: 'overrun', lease: state.lease, reason: state.reason }] };
    case 'work-settled':
      if (state.phase !== 'settling') return stay(state);
      // A lease of a session that is lost is over already; there is nothing to give back.
      if (state.lease.sessionId !== state.sessionId) return yielded(state, nowMs);
      return release(state, state.reason);
    case 'released':
      return state.phase === 'releasing' ? yielded(state, nowMs) : stay(state);
    case 'session-lost': {
      const lost: Yielding = { ...state, sessionId: null };
      return state.phase === 'releasing' && event.sessionId === state.lease.sessionId ? yielded(lost, nowMs) : stay(lost);
    }
    case 'session-live':
      return stay({ ...state, sessionId: event.sessionId });
    case 'stop':
      return state.after.kind === 'closed' ? stay(state) : stay({ ...state, after: { kind: 'closed', reason: event.reason } });
    default:
      return stay(state);
  }
}

function claimIfDue(state: Standby, nowMs: number, reason: GroupReason): GroupStep {
  if (state.sessionId === null || state.holderId !== null || nowMs < state.notBeforeMs) return stay(state);
  return {
    // Written out, as in `granted`: ten thousand groups may come here at once.
    state: { kind: 'claiming', reason, sessionId: state.sessionId, failureCount: state.failureCount, stopReason: null },
    effects: [{ kind: 'claim', sessionId: state.sessionId }],
  };
}

function settle(state: Leading, reason: YieldReason, after: AfterYield, nowMs: number, policy: GroupPolicy): GroupStep {
  return {
    state: {
      ...base(state),
      kind: 'yielding',
      reason,
      lease: state.lease,
      phase: 'settling',
      overrunAtMs: nowMs + policy.settleDeadlineMs,
      after,
    },
    effects: [{ kind: 'abort-work', reason }],
  };
}

function release(from: Omit<GroupBase, 'reason'> & Pick<Yielding, 'lease' | 'after'>, reason: YieldReason): GroupStep {
  return {
    state: {
      kind: 'yielding',
      reason,
      sessionId: from.sessionId,
      failureCount: from.failureCount,
      lease: from.lease,
      phase: 'releasing',
      overrunAtMs: null,
      after: from.after,
    },
    effects: [{ kind: 'release', lease: from.lease }],
  };
}

function yielded(state: Yielding, nowMs: number): GroupStep {
  if (state.after.kind === 'closed') return finish(state, state.after.reason);
  return stay(standby(base(state), state.reason, null, nowMs + state.after.pauseMs));
}

function countFailure(state: Leading, nowMs: number, policy: GroupPolicy): Leading {
  // A run that outlived the longest back-off was a healthy one.
  const isFirst = nowMs - state.startedAtMs > policy.backOff.maxMs;
  return { ...state, failureCount: isFirst ? 1 : state.failureCount + 1 };
}

/** The back-off, and at least as long as a healthy standby may need to notice that the group is free (F4). */
function failurePauseMs(failureCount: number, policy: GroupPolicy): number {
  const { minMs, maxMs, factor } = policy.backOff;
  return Math.max(policy.resignPauseMs, Math.min(maxMs, minMs * factor ** (failureCount - 1)));
}

function standby(from: GroupBase, reason: GroupReason, holderId: string | null, notBeforeMs: number): Standby {
  return { kind: 'standby', reason, sessionId: from.sessionId, failureCount: from.failureCount, holderId, notBeforeMs };
}

function finish(state: GroupBase, reason: GroupReason): GroupStep {
  return { state: { ...base(state), kind: 'closed', reason }, effects: [{ kind: 'finish', reason }] };
}

function base(state: GroupBase): GroupBase {
  return { reason: state.reason, sessionId: state.sessionId, failureCount: state.failureCount };
}

function stay(state: GroupState): GroupStep {
  return { state, effects: [] };
}
