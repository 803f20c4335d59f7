/** The original sends an order every 15 s. */
export const INTERVAL_MS = 500;
/** How many orders there are, on both nodes together. */
export const ORDER_COUNT = 30;
export const TTL_MS = 2_000;
export const GROUP = 'orders';
export const JOB = 'send-order';
