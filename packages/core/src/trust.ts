/**
 * The arithmetic of trust (T2, T3), as pure functions. A session is trusted until `sentAt + ttlMs − safetyMarginMs`, where `sentAt` was read
 * before the heartbeat was sent: the store counts its TTL from a later moment, so it frees the groups later than we let go of them,
 * as long as our clocks run at most `ttlMs / (ttlMs − safetyMarginMs)` times slower than the store's.
 *
 * @module
 */
import type { LocalInstant } from './clock.js';
import type { Timings } from './timings.js';

/** Until when an acknowledged heartbeat that was sent at `sentAt` is trusted. */
export function trustedUntil(sentAt: LocalInstant, timings: Timings): LocalInstant {
  return instantAfter(sentAt, timings.ttlMs - timings.safetyMarginMs);
}

/** The moment `delayMs` after `from`, by both clocks: whichever reaches it first has reached it (T3). */
export function instantAfter(from: LocalInstant, delayMs: number): LocalInstant {
  return { monotonicMs: from.monotonicMs + delayMs, wallMs: from.wallMs + delayMs };
}

/** How long until `deadline`, in ms, by whichever clock is further on (T3); 0 when it has passed. */
export function remainingMs(deadline: LocalInstant, now: LocalInstant): number {
  return Math.max(0, Math.min(deadline.monotonicMs - now.monotonicMs, deadline.wallMs - now.wallMs));
}

/** Whether either clock says that `deadline` has passed (T3). */
export function hasPassed(deadline: LocalInstant, now: LocalInstant): boolean {
  return now.monotonicMs >= deadline.monotonicMs || now.wallMs >= deadline.wallMs;
}
