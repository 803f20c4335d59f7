import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resolveTimings } from './timings.js';
import { hasPassed, remainingMs, trustedUntil } from './trust.js';

const TIMINGS = resolveTimings({ ttlMs: 1_000, heartbeatMs: 200, safetyMarginMs: 100 });
const instant = fc.record({ monotonicMs: fc.integer({ min: 0, max: 2_000 }), wallMs: fc.integer({ min: 0, max: 2_000 }) });

describe('trust', () => {
  it('T2: ends the TTL less the safety margin after the heartbeat was sent, by both clocks', () => {
    expect(trustedUntil({ monotonicMs: 50, wallMs: 7_000 }, TIMINGS)).toEqual({ monotonicMs: 950, wallMs: 7_900 });
  });

  it.each([
    ['neither clock', { monotonicMs: 949, wallMs: 7_899 }, false, 1],
    ['the monotonic clock', { monotonicMs: 950, wallMs: 7_000 }, true, 0],
    ['the wall clock', { monotonicMs: 50, wallMs: 7_900 }, true, 0],
    ['both, long ago', { monotonicMs: 5_000, wallMs: 50_000 }, true, 0],
    ['neither, the wall clock set back', { monotonicMs: 949, wallMs: 0 }, false, 1],
    ['neither, the wall clock set forward a little', { monotonicMs: 100, wallMs: 7_500 }, false, 400],
  ])('T3: it has passed when either clock says so: %s', (_, now, passed, leftMs) => {
    const until = trustedUntil({ monotonicMs: 50, wallMs: 7_000 }, TIMINGS);
    expect(hasPassed(until, now)).toBe(passed);
    expect(remainingMs(until, now)).toBe(leftMs);
  });

  it('T4: what remains is never negative, and nothing remains exactly when it has passed', () => {
    fc.assert(
      fc.property(instant, instant, (sentAt, now) => {
        const until = trustedUntil(sentAt, TIMINGS);
        const leftMs = remainingMs(until, now);
        expect(leftMs).toBeGreaterThanOrEqual(0);
        expect(leftMs === 0).toBe(hasPassed(until, now));
      }),
    );
  });

  it('T3: time only takes away from it, on whichever clock it passes', () => {
    fc.assert(
      fc.property(instant, instant, fc.nat(500), fc.nat(500), (sentAt, now, monotonicMs, wallMs) => {
        const until = trustedUntil(sentAt, TIMINGS);
        const later = { monotonicMs: now.monotonicMs + monotonicMs, wallMs: now.wallMs + wallMs };
        expect(remainingMs(until, later)).toBeLessThanOrEqual(remainingMs(until, now));
      }),
    );
  });
});
