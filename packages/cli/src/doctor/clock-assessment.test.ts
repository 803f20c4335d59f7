import { describe, expect, it } from 'vitest';
import { assessClock, clockFindings, type ClockReading } from './clock-assessment.js';

/** Readings every 100 ms that take `tripMs` and are answered in the middle. The store's clock is ahead by `aheadMs` plus what `storeStep` adds. */
function readings(
  count: number,
  {
    tripMs = 2,
    aheadMs = 0,
    storeStep = () => 0,
    wallStep = () => 0,
  }: { tripMs?: number; aheadMs?: number; storeStep?: (at: number) => number; wallStep?: (at: number) => number },
): readonly ClockReading[] {
  return Array.from({ length: count }, (_none, at) => {
    const sentMs = at * 100;
    const receivedMs = sentMs + tripMs;
    const wall = (ms: number): number => 1_000_000 + ms + wallStep(at);
    return {
      sentAt: { monotonicMs: sentMs, wallMs: wall(sentMs) },
      receivedAt: { monotonicMs: receivedMs, wallMs: wall(receivedMs) },
      storeMs: 1_000_000 + sentMs + tripMs / 2 + aheadMs + storeStep(at),
    };
  });
}

function statesOf(given: readonly ClockReading[]): readonly string[] {
  return clockFindings(assessClock(given)!).map(({ state }) => state);
}

describe('what readings say about a clock', () => {
  it('is nothing without one', () => {
    expect(assessClock([])).toBeNull();
  });

  it('is how far it is ahead, as well as the quickest answer can tell', () => {
    const given = [...readings(3, { tripMs: 80, aheadMs: 300 }), ...readings(1, { tripMs: 4, aheadMs: 300 })];
    expect(assessClock(given)).toMatchObject({ aheadMs: 300, uncertaintyMs: 3 });
    expect(assessClock(readings(3, { aheadMs: -300 }))).toMatchObject({ aheadMs: -300 });
  });

  it('is by how much it was set, in either direction, and whose it was', () => {
    const step =
      (ms: number) =>
      (at: number): number =>
        at >= 5 ? ms : 0;
    const forward = assessClock(readings(10, { storeStep: step(3_000) }))!;
    expect(forward.storeStepsMs).toHaveLength(1);
    expect(forward.storeStepsMs[0]).toBeCloseTo(3_000, -1);
    expect(forward.localStepsMs).toEqual([]);
    expect(assessClock(readings(10, { storeStep: step(-3_000) }))!.storeStepsMs[0]).toBeCloseTo(-3_000, -1);
    const local = assessClock(readings(10, { wallStep: step(60_000) }))!;
    expect([local.storeStepsMs, local.localStepsMs]).toEqual([[], [60_000]]);
  });

  it('is not a step when an answer is slow', () => {
    const given = readings(10, {}).map((reading, at) =>
      at === 5
        ? {
            ...reading,
            receivedAt: { monotonicMs: reading.sentAt.monotonicMs + 90, wallMs: reading.sentAt.wallMs + 90 },
            storeMs: reading.storeMs + 80,
          }
        : reading,
    );
    expect(assessClock(given)!.storeStepsMs).toEqual([]);
  });

  it('is a problem when the server is wrong or was set, and not when this machine is a little off', () => {
    expect(statesOf(readings(5, { aheadMs: 400 }))).toEqual(['ok']);
    expect(statesOf(readings(5, { aheadMs: -3_600_000 }))).toEqual(['problem']);
    expect(statesOf(readings(5, { storeStep: (at) => (at > 2 ? 1_000 : 0) }))).toEqual(['problem']);
    expect(statesOf(readings(5, { wallStep: (at) => (at > 2 ? 1_000 : 0) }))).toEqual(['ok', 'note']);
  });

  it('is told in words', () => {
    expect(clockFindings(assessClock(readings(5, { aheadMs: 3_600_000 }))!)[0]!.summary).toMatch(
      /^the store's clock is 60 min ahead of this machine's \(± 2 ms\): one of them is wrong/,
    );
    expect(clockFindings(assessClock(readings(5, { storeStep: (at) => (at > 2 ? -2_000 : 0) }))!)[0]!.summary).toMatch(
      /by −2\.\d s: forward ends/,
    );
  });
});
