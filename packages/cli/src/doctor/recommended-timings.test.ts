import { resolveTimings } from '@wb/core';
import { describe, expect, it } from 'vitest';
import { renewMsOf, resolveKillAfterMs } from '../kill-after.js';
import { isRoomy, meaningOf, recommendTimings } from './recommended-timings.js';

describe('the timings that are recommended', () => {
  it.each([
    // Quick databases: what limits then is this process, not they.
    [0.1, 0, 5_000],
    [50, 0, 5_000],
    // Calls need room.
    [60, 0, 10_000],
    [117, 0, 15_000],
    [230, 0, 20_000],
    [1_000, 0, 30_000],
    [2_500, 0, 30_000],
    // A blip takes longer ones.
    [1, 1, 5_000],
    [1, 2, 10_000],
    [1, 3, 15_000],
    [1, 30, 90_000],
    [1, 600, 1_800_000],
  ])('for heartbeats of %s ms and a blip of %s s are a TTL of %s ms', (p99Ms, surviveS, ttlMs) => {
    expect(recommendTimings(p99Ms, surviveS * 1_000)!.timings).toEqual(resolveTimings({ ttlMs }));
  });

  it('survive what was asked for, always, and are the shortest that do', () => {
    for (let surviveMs = 0; surviveMs <= 1_000_000; surviveMs += 7_919) {
      const { timings, meaning } = recommendTimings(3, surviveMs)!;
      expect(meaning.survivedByRunMs).toBeGreaterThanOrEqual(surviveMs);
      expect(meaning.survivedBlipMs).toBeGreaterThanOrEqual(meaning.survivedByRunMs);
      const half = resolveTimings({ ttlMs: timings.ttlMs / 2 });
      expect(timings.ttlMs === 5_000 || meaningOf(half, 3).survivedByRunMs < surviveMs).toBe(true);
    }
  });

  describe.each([5_000, 10_000, 60_000, 600_000])('survive under `wb run`, with a TTL of %s ms', (ttlMs) => {
    const P99_MS = 40;
    const timings = resolveTimings({ ttlMs });
    const { survivedByRunMs } = meaningOf(timings, P99_MS);
    const sigtermAtMs = ttlMs - timings.safetyMarginMs - resolveKillAfterMs(undefined, timings);

    /** Whether COMMAND is still untouched when its keeper hears of the first heartbeat after a blip. The last one before was sent at 0; the keeper is told how things stand at `firstMs`, and every `renewMs` from there. */
    const survives = (blipMs: number, firstMs: number, failsAtOnce: boolean): boolean => {
      const { heartbeatMs, callDeadlineMs } = timings;
      // It begins just before the next heartbeat is sent.
      const endMs = heartbeatMs + blipMs;
      let sentMs = heartbeatMs;
      while (sentMs < endMs) sentMs += failsAtOnce ? heartbeatMs : callDeadlineMs;
      let toldMs = firstMs;
      while (toldMs < sentMs + P99_MS) toldMs += renewMsOf(timings);
      return toldMs <= sigtermAtMs;
    };
    const phases = Array.from({ length: 40 }, (_none, at) => (at / 40) * renewMsOf(timings));

    it.each([true, false])('a blip of that length, whose calls fail at once: %s', (failsAtOnce) => {
      expect(survivedByRunMs).toBeGreaterThan(0);
      for (const firstMs of phases)
        for (let blipMs = 0; blipMs <= survivedByRunMs; blipMs += survivedByRunMs / 50)
          expect([firstMs, blipMs, survives(blipMs, firstMs, failsAtOnce)]).toEqual([firstMs, blipMs, true]);
    });

    it('and not every blip that is a heartbeat longer', () => {
      const longerMs = survivedByRunMs + timings.heartbeatMs;
      expect(phases.every((firstMs) => survives(longerMs, firstMs, true))).toBe(false);
    });
  });

  it('do not exist for a database that is too slow, or away for too long', () => {
    expect(recommendTimings(2_501)).toBeNull();
    expect(recommendTimings(1, 3_600_000)).toBeNull();
  });

  it('mean what the rules make of them', () => {
    const timings = resolveTimings({ ttlMs: 10_000 });
    expect(timings).toMatchObject({ heartbeatMs: 2_000, callDeadlineMs: 2_333, safetyMarginMs: 1_000 });
    // Trust ends at 9,000 after the last heartbeat; the blip begins at 2,000, and may make 2,333 of a call useless.
    expect(meaningOf(timings, 7)).toMatchObject({ takeoverMs: 12_000, survivedBlipMs: 9_000 - 2_000 - 2_333 - 7, writesPerSecond: 0.5 });
    expect(meaningOf(resolveTimings({ ttlMs: 10 }), 1_000)).toMatchObject({ survivedBlipMs: 0, survivedByRunMs: 0 });
  });

  it('leave room for a call that is twice as slow', () => {
    const timings = resolveTimings({ ttlMs: 5_000 });
    expect(isRoomy(timings, timings.callDeadlineMs / 2)).toBe(true);
    expect(isRoomy(timings, timings.callDeadlineMs / 2 + 1)).toBe(false);
  });
});
