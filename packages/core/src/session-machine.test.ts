import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LocalInstant } from './clock.js';
import {
  initialSession,
  retryDelayMs,
  sessionDeadlineMs,
  sessionTransition,
  type SessionEvent,
  type SessionState,
  type SessionStep,
} from './session-machine.js';
import { resolveTimings } from './timings.js';
import { hasPassed } from './trust.js';

const TIMINGS = resolveTimings({ ttlMs: 1_000, heartbeatMs: 200, safetyMarginMs: 100 });
/** The wall clock is ten times as far on, to tell the two apart. */
const at = (ms: number): LocalInstant => ({ monotonicMs: ms, wallMs: 10_000 + ms });
const step = (state: SessionState, event: SessionEvent, now: LocalInstant): SessionStep => sessionTransition(state, event, now, TIMINGS);

const joining: SessionState = { kind: 'joining', reason: 'started', failureCount: 0, openAtMs: null };
const live: SessionState = {
  kind: 'live',
  reason: 'opened',
  sessionId: 's1',
  trustedUntil: at(900),
  failureCount: 0,
  heartbeatAtMs: 200,
};
const beating: SessionState = { ...live, heartbeatAtMs: null };
const lost: SessionState = { kind: 'lost', reason: 'expired', sessionId: 's1', rejoinAtMs: 300 };
const closing: SessionState = { kind: 'closing', reason: 'closed', sessionId: 's1', untilMs: 1_300, failureCount: 0, closeAtMs: null };
const closed: SessionState = { kind: 'closed', reason: 'closed' };

describe('joining', () => {
  it('opens a session at once, and only one', () => {
    const first = step(initialSession(at(5)), { kind: 'tick' }, at(5));
    expect(first).toEqual({ state: { ...joining }, effects: [{ kind: 'open' }] });
    expect(step(first.state, { kind: 'tick' }, at(500)).effects).toEqual([]);
    expect(sessionDeadlineMs(first.state)).toBeNull();
  });

  it('T2: a session that was opened is trusted from before the call was sent', () => {
    expect(step(joining, { kind: 'opened', sessionId: 's1', sentAt: at(100) }, at(400))).toEqual({
      state: { ...live, trustedUntil: at(1_000), heartbeatAtMs: 300 },
      effects: [{ kind: 'announce-live', sessionId: 's1' }],
    });
  });

  it('T2: one whose reply took longer than it is worth is left to expire', () => {
    const { state, effects } = step(joining, { kind: 'opened', sessionId: 's1', sentAt: at(100) }, at(1_000));
    expect(state).toMatchObject({ kind: 'joining', failureCount: 1 });
    expect(effects).toEqual([]);
  });

  it('F17: tries again after a failure, more and more slowly, at most a heartbeat later', () => {
    let state: SessionState = joining;
    const waits: number[] = [];
    for (let failure = 0; failure < 7; failure += 1) {
      state = step(state, { kind: 'open-failed', jitter: 0 }, at(1_000)).state;
      const openAtMs: number = sessionDeadlineMs(state)!;
      waits.push(openAtMs - 1_000);
      expect(step(state, { kind: 'tick' }, at(openAtMs - 0.01)).effects).toEqual([]);
      state = step(state, { kind: 'tick' }, at(openAtMs)).state;
      expect(state).toMatchObject({ openAtMs: null, failureCount: failure + 1 });
    }
    expect(waits).toEqual([6.25, 12.5, 25, 50, 100, 100, 100]);
  });

  it('is closed at once', () => {
    expect(step(joining, { kind: 'close' }, at(5))).toEqual({ state: closed, effects: [] });
  });
});

describe('live', () => {
  it('sends a heartbeat when it is due, and not before', () => {
    expect(step(live, { kind: 'tick' }, at(199.9))).toEqual({ state: live, effects: [] });
    expect(step(live, { kind: 'tick' }, at(200))).toEqual({ state: beating, effects: [{ kind: 'heartbeat', sessionId: 's1' }] });
  });

  it('F11: never sends one while another is under way', () => {
    for (const event of [{ kind: 'tick' }, { kind: 'heartbeat-wanted' }] as const) {
      expect(step(beating, event, at(800))).toEqual({ state: beating, effects: [] });
    }
  });

  it('T2: an acknowledged heartbeat is trusted from when it was sent; so is the next one due', () => {
    const { state } = step(beating, { kind: 'heartbeat-acknowledged', sessionId: 's1', sentAt: at(200) }, at(390));
    expect(state).toEqual({ ...live, trustedUntil: at(1_100), heartbeatAtMs: 400 });
  });

  it('an acknowledgement that took longer than a heartbeat is followed by the next one at once', () => {
    const { state, effects } = step(beating, { kind: 'heartbeat-acknowledged', sessionId: 's1', sentAt: at(200) }, at(450));
    expect(state).toMatchObject({ trustedUntil: at(1_100), heartbeatAtMs: null });
    expect(effects).toEqual([{ kind: 'heartbeat', sessionId: 's1' }]);
  });

  it('T4: an acknowledgement that comes after trust has ended does not bring it back', () => {
    const event = { kind: 'heartbeat-acknowledged', sessionId: 's1', sentAt: at(800) } as const;
    expect(step(beating, event, at(900)).state).toMatchObject({ kind: 'lost', reason: 'lost-trust' });
  });

  it('T5: a failed heartbeat takes nothing from trust; the next one is due soon after it was sent', () => {
    const { state, effects } = step(beating, { kind: 'heartbeat-failed', sessionId: 's1', sentAt: at(200), jitter: 0 }, at(201));
    expect(state).toEqual({ ...live, failureCount: 1, heartbeatAtMs: 206.25 });
    expect(effects).toEqual([]);
  });

  it('T2: a heartbeat that used up its deadline is followed by the next one at once', () => {
    const event = { kind: 'heartbeat-failed', sessionId: 's1', sentAt: at(200), jitter: 0.99 } as const;
    expect(step(beating, event, at(550)).effects).toEqual([{ kind: 'heartbeat', sessionId: 's1' }]);
  });

  it('an acknowledgement ends the row of failures', () => {
    const failing: SessionState = { ...beating, failureCount: 4 };
    expect(step(failing, { kind: 'heartbeat-acknowledged', sessionId: 's1', sentAt: at(250) }, at(251)).state).toMatchObject({
      failureCount: 0,
    });
  });

  it('T5, S2: a "no" of the store ends it at once', () => {
    expect(step(beating, { kind: 'refused', sessionId: 's1' }, at(300))).toEqual({
      state: lost,
      effects: [{ kind: 'announce-lost', sessionId: 's1', reason: 'expired' }],
    });
  });

  it.each<[string, LocalInstant]>([
    ['both clocks say', at(900)],
    ['the monotonic clock alone says', { monotonicMs: 900, wallMs: 10_000 }],
    ['the wall clock alone says', { monotonicMs: 210, wallMs: 10_900 }],
  ])('T3: it is lost as soon as %s that its trust has ended, whatever the event', (_, now) => {
    const events: SessionEvent[] = [
      { kind: 'tick' },
      { kind: 'heartbeat-acknowledged', sessionId: 's1', sentAt: at(890) },
      { kind: 'heartbeat-failed', sessionId: 's1', sentAt: at(800), jitter: 0 },
      { kind: 'heartbeat-wanted' },
      { kind: 'opened', sessionId: 's2', sentAt: at(899) },
    ];
    for (const event of events) {
      expect(step(beating, event, now)).toEqual({
        state: { ...lost, reason: 'lost-trust', rejoinAtMs: now.monotonicMs },
        effects: [{ kind: 'announce-lost', sessionId: 's1', reason: 'lost-trust' }],
      });
    }
  });

  it('is closed for good when its trust has passed by then: no other follows', () => {
    expect(step(live, { kind: 'close' }, at(900))).toEqual({
      state: closed,
      effects: [{ kind: 'announce-lost', sessionId: 's1', reason: 'lost-trust' }],
    });
  });

  it('a heartbeat that is wanted is sent now', () => {
    expect(step(live, { kind: 'heartbeat-wanted' }, at(50))).toEqual({
      state: beating,
      effects: [{ kind: 'heartbeat', sessionId: 's1' }],
    });
  });

  it('what concerns an earlier session changes nothing', () => {
    const events: SessionEvent[] = [
      { kind: 'heartbeat-acknowledged', sessionId: 's0', sentAt: at(850) },
      { kind: 'heartbeat-failed', sessionId: 's0', sentAt: at(100), jitter: 0 },
      { kind: 'refused', sessionId: 's0' },
      { kind: 'opened', sessionId: 's0', sentAt: at(100) },
      { kind: 'open-failed', jitter: 0 },
      { kind: 'close-acknowledged' },
      { kind: 'close-failed', jitter: 0 },
    ];
    for (const event of events) expect(step(beating, event, at(860))).toEqual({ state: beating, effects: [] });
  });

  it('S3: is closed in the store, and given up when it would have expired', () => {
    expect(step(live, { kind: 'close' }, at(300))).toEqual({ state: closing, effects: [{ kind: 'close', sessionId: 's1' }] });
  });

  it('wakes for its heartbeat or the end of its trust, whichever is first', () => {
    expect(sessionDeadlineMs(live)).toBe(200);
    expect(sessionDeadlineMs(beating)).toBe(900);
  });
});

describe('lost', () => {
  it('F3, F10: is followed by another session: never by itself again', () => {
    expect(step(lost, { kind: 'tick' }, at(300))).toEqual({
      state: { kind: 'joining', reason: 'rejoining', failureCount: 0, openAtMs: null },
      effects: [{ kind: 'open' }],
    });
    for (const event of [
      { kind: 'heartbeat-acknowledged', sessionId: 's1', sentAt: at(299) },
      { kind: 'opened', sessionId: 's1', sentAt: at(299) },
    ] as const) {
      expect(step(lost, event, at(299))).toEqual({ state: lost, effects: [] });
    }
    expect(sessionDeadlineMs(lost)).toBe(300);
  });

  it('is closed at once: there is nothing to free', () => {
    expect(step(lost, { kind: 'close' }, at(299))).toEqual({ state: closed, effects: [] });
  });
});

describe('closing', () => {
  it('ends with the store’s answer', () => {
    expect(step(closing, { kind: 'close-acknowledged' }, at(400))).toEqual({ state: closed, effects: [] });
  });

  it('T5: repeats a close that failed', () => {
    const failed = step(closing, { kind: 'close-failed', jitter: 0 }, at(400)).state;
    expect(failed).toEqual({ ...closing, failureCount: 1, closeAtMs: 406.25 });
    expect(sessionDeadlineMs(failed)).toBe(406.25);
    expect(step(failed, { kind: 'tick' }, at(406.25))).toEqual({
      state: { ...closing, failureCount: 1 },
      effects: [{ kind: 'close', sessionId: 's1' }],
    });
  });

  it('ends when the session has expired by itself', () => {
    expect(sessionDeadlineMs(closing)).toBe(1_300);
    expect(step(closing, { kind: 'tick' }, at(1_299)).state).toEqual(closing);
    expect(step(closing, { kind: 'tick' }, at(1_300))).toEqual({ state: closed, effects: [] });
  });

  it('closing it again changes nothing', () => {
    expect(step(closing, { kind: 'close' }, at(400))).toEqual({ state: closing, effects: [] });
  });
});

describe('closed', () => {
  it('nothing happens any more', () => {
    for (const event of [{ kind: 'tick' }, { kind: 'close' }, { kind: 'opened', sessionId: 's9', sentAt: at(0) }] as const) {
      expect(step(closed, event, at(1e6))).toEqual({ state: closed, effects: [] });
    }
    expect(sessionDeadlineMs(closed)).toBeNull();
  });
});

describe('the wait after a failure', () => {
  it('is spread by the jitter over the upper half, grows, and is at most a heartbeat', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2_000 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (failureCount, jitter) => {
        const waitMs = retryDelayMs(failureCount, jitter, TIMINGS);
        const fullMs = Math.min(200, 12.5 * 2 ** (failureCount - 1));
        expect(waitMs).toBeGreaterThanOrEqual(fullMs / 2);
        expect(waitMs).toBeLessThanOrEqual(fullMs);
      }),
    );
    expect(retryDelayMs(3, 0.9, TIMINGS)).toBeGreaterThan(retryDelayMs(3, 0.1, TIMINGS));
  });
});

describe('any run of events', () => {
  const kind = fc.constantFrom<SessionEvent['kind'][]>(
    ...(['tick', 'tick', 'opened', 'opened', 'heartbeat-acknowledged', 'heartbeat-acknowledged', 'heartbeat-failed'] as const),
    ...(['open-failed', 'refused', 'heartbeat-wanted', 'close', 'close-acknowledged', 'close-failed'] as const),
  );
  const sessionId = fc.constantFrom('s1', 's1', 's1', 's2');
  const moment = fc.record({
    kind,
    sessionId,
    agoMs: fc.integer({ min: 0, max: 300 }),
    jitter: fc.double({ min: 0, max: 0.99, noNaN: true }),
    monotonicMs: fc.integer({ min: 0, max: 250 }),
    wallMs: fc.integer({ min: 0, max: 250 }),
  });

  /** What one step breaks. `liveId` is the session that was announced and not yet lost. */
  function broken(
    before: SessionState,
    next: SessionEvent,
    { state, effects }: SessionStep,
    now: LocalInstant,
    liveId: string | null,
  ): string[] {
    const found: string[] = [];
    if (before.kind === 'live' && hasPassed(before.trustedUntil, now) && !['lost', 'closed'].includes(state.kind))
      found.push('T4: kept after its end');
    if (next.kind === 'tick' && state.kind === 'live' && hasPassed(state.trustedUntil, now)) found.push('T4: trusted past its end');
    const isAnswered = next.kind === 'heartbeat-acknowledged' || next.kind === 'heartbeat-failed';
    for (const effect of effects) {
      if (effect.kind === 'heartbeat') {
        if (state.kind !== 'live' || state.heartbeatAtMs !== null || state.sessionId !== effect.sessionId) found.push('a stray heartbeat');
        if (before.kind === 'live' && before.heartbeatAtMs === null && !isAnswered) found.push('F11: two heartbeats');
      }
      if (effect.kind === 'open' && before.kind === 'joining' && before.openAtMs === null) found.push('two opens');
      if (effect.kind === 'announce-live' && liveId !== null) found.push('T11: announced over another');
      if (effect.kind === 'announce-lost' && effect.sessionId !== liveId) found.push('T11: lost what was not announced');
    }
    if (before.kind === 'closed' && state !== before) found.push('alive after its end');
    if (before.kind === 'lost' && state.kind === 'live') found.push('S2: alive again');
    return found;
  }

  it('T3, T4, F11, T11: never trusts past the end, never has two calls under way, and announces each session once, then its loss', () => {
    let liveCount = 0;
    fc.assert(
      fc.property(fc.array(moment, { maxLength: 60, size: 'max' }), (run) => {
        let now: LocalInstant = { monotonicMs: 0, wallMs: 0 };
        let state = initialSession(now);
        let liveId: string | null = null;
        for (const { monotonicMs, wallMs, agoMs, ...parts } of run) {
          now = { monotonicMs: now.monotonicMs + monotonicMs, wallMs: now.wallMs + wallMs };
          // Each kind takes the parts that it has.
          const next: SessionEvent = { ...parts, sentAt: { monotonicMs: now.monotonicMs - agoMs, wallMs: now.wallMs - agoMs } };
          const result = sessionTransition(state, next, now, TIMINGS);
          expect(broken(state, next, result, now, liveId)).toEqual([]);
          state = result.state;
          liveId = state.kind === 'live' ? state.sessionId : null;
          if (state.kind === 'live') liveCount += 1;
        }
      }),
      { numRuns: 500 },
    );
    // Runs in which nothing is ever live would prove nothing.
    expect(liveCount).toBeGreaterThan(500);
  });
});
