import { WbError } from './errors.js';

/** Why a session is in its state. */
export type SessionReason =
  /** The coordinator needs a session for the first time. */
  | 'started'
  /** The store opened it. */
  | 'opened'
  /** The store says that it is dead (S2). */
  | 'expired'
  /** No heartbeat was acknowledged in time: local trust ended (T2, T3). */
  | 'lost-trust'
  /** A new incarnation follows a lost one. */
  | 'rejoining'
  /** The coordinator was closed. */
  | 'closed';

/** Why a group is in its state, or why leadership of it ended. */
export type GroupReason =
  /** The member began to contend. */
  | 'started'
  /** A new session took the place of a lost one. */
  | 'rejoined'
  /** Nobody is known to hold the group. */
  | 'free'
  /** Another session holds the group. */
  | 'held'
  /** The lease's row is held back for the moment, by a fenced transaction of the holder's (T8). */
  | 'busy'
  /** The claim was granted. */
  | 'elected'
  /** The lease was released. */
  | 'released'
  /** The holder's session is dead; of the own one: the store said so. */
  | 'expired'
  /** The own session is no longer trusted (T2, T3). */
  | 'lost-trust'
  /** The store no longer has the lease, though the session lives. */
  | 'lost-lease'
  /** `resign()` was called. */
  | 'resigned'
  /** The work returned. */
  | 'work-ended'
  /** The work threw. */
  | 'work-failed'
  /** The work's watchdog saw no `beat()` in time (F4). */
  | 'hung'
  /** The signal given to `lead` aborted. */
  | 'stopped'
  /** The coordinator was closed. */
  | 'closed';

/** Why leadership ended. */
export type YieldReason = Extract<
  GroupReason,
  'expired' | 'lost-trust' | 'lost-lease' | 'resigned' | 'work-ended' | 'work-failed' | 'hung' | 'stopped' | 'closed'
>;

/** The `reason` of a work's aborted signal. */
export class LeadershipEndedError extends WbError {
  readonly groupId: string;
  readonly term: number;
  readonly reason: YieldReason;

  constructor(groupId: string, term: number, reason: YieldReason) {
    super('LEADERSHIP_ENDED', `leadership of group ${JSON.stringify(groupId)} in term ${term} ended: ${reason}`);
    this.groupId = groupId;
    this.term = term;
    this.reason = reason;
  }
}
