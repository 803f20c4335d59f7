import type { GroupState } from './group-machine.js';
import type { GroupReason, SessionReason, YieldReason } from './reasons.js';
import type { SessionState } from './session-machine.js';

/** A group changed its state (T11). `from` of each is the `to` of the one before. */
export interface GroupEvent {
  readonly kind: 'group';
  readonly groupId: string;
  readonly from: GroupState['kind'];
  readonly to: GroupState['kind'];
  readonly reason: GroupReason;
  /** The term of the own lease; `null` when the event is about no lease. */
  readonly term: number | null;
  /** What the work threw, with reason `work-failed`, or while it was settling. */
  readonly error?: unknown;
}

/** The session changed its state (T11). */
export interface SessionEvent {
  readonly kind: 'session';
  readonly from: SessionState['kind'];
  readonly to: SessionState['kind'];
  readonly reason: SessionReason;
  readonly sessionId: string | null;
}

/** Aborted work did not settle within `settleDeadlineMs`. The lease is kept while the session lives (T7). */
export interface OverrunEvent {
  readonly kind: 'overrun';
  readonly groupId: string;
  readonly term: number;
  /** Why leadership ended. */
  readonly reason: YieldReason;
  readonly settleDeadlineMs: number;
}

/** A store call failed; it is tried again (F17). */
export interface StoreFaultEvent {
  readonly kind: 'store-fault';
  /** The method of the store. */
  readonly operation: string;
  readonly error: Error;
  /** Faults in a row, this one included. */
  readonly failureCount: number;
}

/** A store call went well after at least one that failed. */
export interface StoreRecoveredEvent {
  readonly kind: 'store-recovered';
  readonly operation: string;
  /** Faults in a row before it. */
  readonly failureCount: number;
}

/** What a coordinator reports. */
export type CoordinatorEvent = GroupEvent | SessionEvent | OverrunEvent | StoreFaultEvent | StoreRecoveredEvent;

/** The kinds of {@link CoordinatorEvent}. */
export type CoordinatorEventKind = CoordinatorEvent['kind'];
