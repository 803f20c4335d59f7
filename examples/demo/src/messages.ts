import type { GroupReason } from '@wb/core';
import type { SettleOutcome } from './settle-orders.js';

/** What a member tells the driver. Instants are on the machine's monotonic clock: see `nowMs`. */
export type MemberMessage =
  /** Another member leads; this one waits. */
  | { readonly kind: 'stands-by' }
  /** Sent by the first statement of the leader's work. `reason`: why the lease could be claimed. */
  | { readonly kind: 'leads'; readonly term: number; readonly atMs: number; readonly reason: GroupReason }
  /** The work has stopped: it saw at `atMs` that it is the leader no more. */
  | { readonly kind: 'stopped'; readonly term: number; readonly atMs: number; readonly reason: GroupReason }
  /** What became of an order that was settled on purpose in a term that is over. */
  | { readonly kind: 'late-write'; readonly term: number; readonly orderId: number; readonly outcome: SettleOutcome }
  /** The leader has settled every order. */
  | { readonly kind: 'drained'; readonly term: number }
  /** A call to the database failed; the coordinator tries again by itself. */
  | { readonly kind: 'store-fault'; readonly text: string };

/** What the driver tells a member. */
export type DriverMessage =
  /** Hand leadership over, and go on as a standby. */
  | { readonly kind: 'resign' }
  /** Settle the rest without pauses. */
  | { readonly kind: 'full-speed' }
  /** Leave. */
  | { readonly kind: 'stop' };
