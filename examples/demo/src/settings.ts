/** What the members contend for. */
export const GROUP_ID = 'orders';

export const MEMBER_IDS = ['node-a', 'node-b', 'node-c'] as const;

export const ORDER_COUNT = 10_000;

/** The leader's pace, so that orders are left at all three events. */
export const ORDERS_PER_SECOND = 500;
/** How many orders a leader settles at a time: a commit on a server costs some milliseconds. */
export const ORDERS_PER_TRANSACTION = 5;

/** How many orders a leader settles at least before something happens to it. Three times this is well below {@link ORDER_COUNT}. */
export const ORDERS_PER_EVENT = 2_100;

export const TTL_MS = 2_000;
export const HEARTBEAT_MS = 400;

/** The requirement: a leader that crashes or freezes is succeeded within its TTL, and 100 ms for everything else. */
export const EXPIRY_LIMIT_MS = TTL_MS + 100;
/** The requirement: where the store cannot push, a standby sees a release with its next heartbeat; and 50 ms for everything else. */
export const RESIGN_LIMIT_MS = HEARTBEAT_MS + 50;

/** The whole demo. */
export const TIME_LIMIT_MS = 60_000;
