import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  groupDeadlineMs,
  groupTransition,
  initialGroup,
  type GroupEvent,
  type GroupPolicy,
  type GroupState,
  type GroupStep,
} from './group-machine.js';

const POLICY: GroupPolicy = {
  onEnd: 'contend',
  onError: 'contend',
  backOff: { minMs: 100, maxMs: 1_000, factor: 3 },
  settleDeadlineMs: 500,
  watchdogMs: 300,
  resignPauseMs: 400,
  busyPauseMs: 50,
};

type State<K extends GroupState['kind']> = GroupState & { readonly kind: K };

const lease = { sessionId: 's1', term: 7 };
const standby: State<'standby'> = {
  kind: 'standby',
  reason: 'held',
  sessionId: 's1',
  failureCount: 0,
  holderId: 'other',
  notBeforeMs: Number.NEGATIVE_INFINITY,
};
const claiming: State<'claiming'> = { kind: 'claiming', reason: 'free', sessionId: 's1', failureCount: 0, stopReason: null };
const leading: State<'leading'> = {
  kind: 'leading',
  reason: 'elected',
  sessionId: 's1',
  failureCount: 0,
  lease,
  startedAtMs: 0,
  beatAtMs: 0,
};
const settling: State<'yielding'> = {
  kind: 'yielding',
  reason: 'resigned',
  sessionId: 's1',
  failureCount: 0,
  lease,
  phase: 'settling',
  overrunAtMs: 600,
  after: { kind: 'standby', pauseMs: 400 },
};
const releasing: State<'yielding'> = { ...settling, phase: 'releasing', overrunAtMs: null };
const closed: State<'closed'> = { kind: 'closed', reason: 'stopped', sessionId: 's1', failureCount: 0 };

const step = (state: GroupState, event: GroupEvent, nowMs: number = 100, policy: Partial<GroupPolicy> = {}): GroupStep =>
  groupTransition(state, event, nowMs, { ...POLICY, ...policy });
const unchanged = (state: GroupState): GroupStep => ({ state, effects: [] });

/** Every event, to see what a state ignores. */
const EVENTS: readonly GroupEvent[] = [
  { kind: 'tick' },
  { kind: 'session-live', sessionId: 's2' },
  { kind: 'session-lost', sessionId: 's1', reason: 'expired' },
  { kind: 'holder-seen', holderId: 'third' },
  { kind: 'holder-gone', reason: 'released' },
  { kind: 'granted', sessionId: 's1', term: 8 },
  { kind: 'refused', sessionId: 's1', holderId: 'third' },
  { kind: 'refused-busy', sessionId: 's1' },
  { kind: 'beat' },
  { kind: 'work-settled', failed: false },
  { kind: 'released' },
  { kind: 'lease-missing', term: 7 },
  { kind: 'resign' },
  { kind: 'stop', reason: 'stopped' },
];

function ignored(state: GroupState): string[] {
  return EVENTS.filter((event) => step(state, event).state === state).map((event) => event.kind);
}

describe('a group on standby', () => {
  it('is claimed at once when nobody is known to hold it and there is a session', () => {
    expect(step(initialGroup('s1'), { kind: 'tick' })).toEqual({
      state: { ...claiming, reason: 'started' },
      effects: [{ kind: 'claim', sessionId: 's1' }],
    });
    expect(step(initialGroup(null), { kind: 'tick' })).toEqual(unchanged(initialGroup(null)));
  });

  it('F2: waits for as long as it is held, without a timer of its own', () => {
    expect(step(standby, { kind: 'tick' }, 1e9)).toEqual(unchanged(standby));
    expect(groupDeadlineMs(standby, POLICY)).toBeNull();
  });

  it.each(['expired', 'released', 'free'] as const)('F1, F3: is claimed when its holder is gone: %s', (reason) => {
    expect(step(standby, { kind: 'holder-gone', reason })).toEqual({
      state: { ...claiming, reason },
      effects: [{ kind: 'claim', sessionId: 's1' }],
    });
  });

  it('keeps a pause that it owes, and is claimed when that is over', () => {
    const paused = { ...standby, holderId: null, notBeforeMs: 500 };
    expect(groupDeadlineMs(paused, POLICY)).toBe(500);
    expect(step(paused, { kind: 'holder-gone', reason: 'released' }, 499).effects).toEqual([]);
    expect(step(paused, { kind: 'tick' }, 499)).toEqual(unchanged(paused));
    expect(step(paused, { kind: 'tick' }, 500).effects).toEqual([{ kind: 'claim', sessionId: 's1' }]);
  });

  it('F3: is claimed with a new session, whoever held it before', () => {
    const without = step(standby, { kind: 'session-lost', sessionId: 's1', reason: 'lost-trust' }).state;
    expect(without).toEqual({ ...standby, sessionId: null });
    expect(step(without, { kind: 'session-live', sessionId: 's2' })).toEqual({
      state: { ...claiming, reason: 'rejoined', sessionId: 's2' },
      effects: [{ kind: 'claim', sessionId: 's2' }],
    });
  });

  it('remembers who holds it', () => {
    expect(step({ ...standby, holderId: null }, { kind: 'holder-seen', holderId: 'third' }).state).toEqual({
      ...standby,
      holderId: 'third',
    });
  });

  it('ends at once when it is stopped', () => {
    expect(step(standby, { kind: 'stop', reason: 'stopped' })).toEqual({ state: closed, effects: [{ kind: 'finish', reason: 'stopped' }] });
  });

  it('T10: a grant out of turn makes nobody a leader', () => {
    expect(ignored(standby)).toEqual([
      'tick',
      'granted',
      'refused',
      'refused-busy',
      'beat',
      'work-settled',
      'released',
      'lease-missing',
      'resign',
    ]);
  });
});

describe('a group that is being claimed', () => {
  it('is led when the claim is granted, and its work starts', () => {
    expect(step(claiming, { kind: 'granted', sessionId: 's1', term: 7 }, 100)).toEqual({
      state: { ...leading, startedAtMs: 100, beatAtMs: 100 },
      effects: [{ kind: 'start-work', lease }],
    });
  });

  it('stands by when it is held, and soon tries again when its row is locked (T8)', () => {
    expect(step(claiming, { kind: 'refused', sessionId: 's1', holderId: 'other' })).toEqual(unchanged(standby));
    const busy = step(claiming, { kind: 'refused-busy', sessionId: 's1' }, 100).state;
    expect(busy).toEqual({ ...standby, reason: 'busy', holderId: null, notBeforeMs: 150 });
    expect(groupDeadlineMs(busy, POLICY)).toBe(150);
  });

  it('T10: an answer to another session’s claim is none', () => {
    for (const event of [
      { kind: 'granted', sessionId: 's0', term: 6 },
      { kind: 'refused', sessionId: 's0', holderId: 'other' },
      { kind: 'refused-busy', sessionId: 's0' },
    ] as const) {
      expect(step(claiming, event)).toEqual(unchanged(claiming));
    }
  });

  it('T5: has no deadline: only a definite answer or the end of its session ends it', () => {
    expect(groupDeadlineMs(claiming, POLICY)).toBeNull();
    expect(step(claiming, { kind: 'tick' }, 1e9)).toEqual(unchanged(claiming));
    expect(step(claiming, { kind: 'session-lost', sessionId: 's1', reason: 'expired' })).toEqual(
      unchanged({ ...standby, reason: 'expired', sessionId: null, holderId: null }),
    );
  });

  it('the trap of the late claim: when it is stopped it waits for the answer, and gives a grant back without working', () => {
    const stopping = step(claiming, { kind: 'stop', reason: 'closed' });
    expect(stopping).toEqual(unchanged({ ...claiming, stopReason: 'closed' }));
    expect(step(stopping.state, { kind: 'granted', sessionId: 's1', term: 7 })).toEqual({
      state: { ...releasing, reason: 'closed', after: { kind: 'closed', reason: 'closed' } },
      effects: [{ kind: 'release', lease }],
    });
    for (const event of [
      { kind: 'refused', sessionId: 's1', holderId: 'other' },
      { kind: 'refused-busy', sessionId: 's1' },
      { kind: 'session-lost', sessionId: 's1', reason: 'expired' },
    ] as const) {
      expect(step(stopping.state, event)).toEqual({
        state: { ...closed, reason: 'closed' },
        effects: [{ kind: 'finish', reason: 'closed' }],
      });
    }
  });
});

describe('a group that is led', () => {
  it.each<[string, GroupEvent, string, State<'yielding'>['after']]>([
    ['resigned', { kind: 'resign' }, 'resigned', { kind: 'standby', pauseMs: 400 }],
    ['stopped', { kind: 'stop', reason: 'stopped' }, 'stopped', { kind: 'closed', reason: 'stopped' }],
    ['closed', { kind: 'stop', reason: 'closed' }, 'closed', { kind: 'closed', reason: 'closed' }],
    ['missing in the store', { kind: 'lease-missing', term: 7 }, 'lost-lease', { kind: 'standby', pauseMs: 0 }],
  ])('T7: when it is %s its work is told to stop, and the lease is kept until it has', (_, event, reason, after) => {
    expect(step(leading, event, 100)).toEqual({
      state: { ...settling, reason, after },
      effects: [{ kind: 'abort-work', reason }],
    });
  });

  it.each(['expired', 'lost-trust'] as const)('T4: when its session is lost (%s) its work is told to stop', (reason) => {
    expect(step(leading, { kind: 'session-lost', sessionId: 's1', reason }, 100)).toEqual({
      state: { ...settling, reason, sessionId: null, after: { kind: 'standby', pauseMs: 0 } },
      effects: [{ kind: 'abort-work', reason }],
    });
  });

  it('what concerns another session or term changes nothing', () => {
    expect(step(leading, { kind: 'session-lost', sessionId: 's0', reason: 'expired' })).toEqual(unchanged(leading));
    expect(step(leading, { kind: 'lease-missing', term: 6 })).toEqual(unchanged(leading));
  });

  it('F4: is released when the work ends, and then left or contended for, as the policy says', () => {
    for (const [onEnd, after] of [
      ['contend', { kind: 'standby', pauseMs: 100 }],
      ['stop', { kind: 'closed', reason: 'work-ended' }],
    ] as const) {
      expect(step({ ...leading, failureCount: 4 }, { kind: 'work-settled', failed: false }, 100, { onEnd })).toEqual({
        state: { ...releasing, reason: 'work-ended', failureCount: 0, after },
        effects: [{ kind: 'release', lease }],
      });
    }
  });

  it('F4: is released when the work fails, and then left or contended for, as the policy says', () => {
    for (const [onError, after] of [
      ['contend', { kind: 'standby', pauseMs: 400 }],
      ['rethrow', { kind: 'closed', reason: 'work-failed' }],
    ] as const) {
      expect(step(leading, { kind: 'work-settled', failed: true }, 100, { onError })).toEqual({
        state: { ...releasing, reason: 'work-failed', failureCount: 1, after },
        effects: [{ kind: 'release', lease }],
      });
    }
  });

  it('the back-off grows with the failures in a row, up to its end, and starts again after a long run', () => {
    const pauses = [0, 1, 2, 3, 50].map((failureCount) => {
      const { state } = step({ ...leading, failureCount }, { kind: 'work-settled', failed: true }, 1_000);
      return (state as State<'yielding'>).after;
    });
    // The first two would be shorter than what a standby may need to notice.
    expect(pauses).toEqual([400, 400, 900, 1_000, 1_000].map((pauseMs) => ({ kind: 'standby', pauseMs })));
    expect(step({ ...leading, failureCount: 50 }, { kind: 'work-settled', failed: true }, 1_001).state).toMatchObject({
      failureCount: 1,
      after: { pauseMs: 400 },
    });
  });

  it('F4: the watchdog counts from the last beat, and a bite counts as a failure', () => {
    const beaten = step(leading, { kind: 'beat' }, 250).state;
    expect(beaten).toEqual({ ...leading, beatAtMs: 250 });
    expect(groupDeadlineMs(beaten, POLICY)).toBe(550);
    expect(step(beaten, { kind: 'tick' }, 549)).toEqual(unchanged(beaten));
    expect(step(beaten, { kind: 'tick' }, 550)).toEqual({
      state: { ...settling, reason: 'hung', failureCount: 1, overrunAtMs: 1_050, after: { kind: 'standby', pauseMs: 400 } },
      effects: [{ kind: 'abort-work', reason: 'hung' }],
    });
  });

  it('has no deadline without a watchdog', () => {
    expect(groupDeadlineMs(leading, { ...POLICY, watchdogMs: null })).toBeNull();
    expect(step(leading, { kind: 'tick' }, 1e9, { watchdogMs: null })).toEqual(unchanged(leading));
  });

  it('ignores the rest', () => {
    expect(ignored(leading)).toEqual([
      'tick',
      'session-live',
      'holder-seen',
      'holder-gone',
      'granted',
      'refused',
      'refused-busy',
      'released',
    ]);
  });
});

describe('a group that yields, its work still settling', () => {
  it('T7: is not released, however long that takes; an overrun is reported once', () => {
    expect(groupDeadlineMs(settling, POLICY)).toBe(600);
    expect(step(settling, { kind: 'tick' }, 599)).toEqual(unchanged(settling));
    const overrun = step(settling, { kind: 'tick' }, 600);
    expect(overrun).toEqual({ state: { ...settling, overrunAtMs: null }, effects: [{ kind: 'overrun', lease, reason: 'resigned' }] });
    expect(groupDeadlineMs(overrun.state, POLICY)).toBeNull();
    expect(step(overrun.state, { kind: 'tick' }, 1e9).effects).toEqual([]);
  });

  it('T7: is released when the work has settled', () => {
    expect(step(settling, { kind: 'work-settled', failed: true })).toEqual({ state: releasing, effects: [{ kind: 'release', lease }] });
  });

  it('when its session is lost meanwhile there is nothing to release', () => {
    const lost = step(settling, { kind: 'session-lost', sessionId: 's1', reason: 'lost-trust' }).state;
    expect(lost).toEqual({ ...settling, sessionId: null });
    expect(step(lost, { kind: 'work-settled', failed: false }, 100)).toEqual(
      unchanged({ ...standby, reason: 'resigned', sessionId: null, holderId: null, notBeforeMs: 500 }),
    );
    // Nor under a session that came since.
    const rejoined = step(lost, { kind: 'session-live', sessionId: 's2' }).state;
    expect(step(rejoined, { kind: 'work-settled', failed: false }, 100)).toEqual(
      unchanged({ ...standby, reason: 'resigned', sessionId: 's2', holderId: null, notBeforeMs: 500 }),
    );
  });

  it('is left when it is stopped meanwhile; a reason to leave that is there already stays', () => {
    const stopped = step(settling, { kind: 'stop', reason: 'closed' }).state;
    expect(stopped).toEqual({ ...settling, after: { kind: 'closed', reason: 'closed' } });
    expect(step(stopped, { kind: 'stop', reason: 'stopped' })).toEqual(unchanged(stopped));
  });
});

describe('a group that yields, its release under way', () => {
  it('the trap of the late release: only a definite answer or the end of its session ends it', () => {
    expect(groupDeadlineMs(releasing, POLICY)).toBeNull();
    expect(ignored(releasing)).toEqual([
      'tick',
      'holder-seen',
      'holder-gone',
      'granted',
      'refused',
      'refused-busy',
      'beat',
      'work-settled',
      'lease-missing',
      'resign',
    ]);
  });

  it('stands by when it is released, and is claimed after the pause that it owes', () => {
    const waiting = step(releasing, { kind: 'released' }, 100);
    expect(waiting).toEqual(unchanged({ ...standby, reason: 'resigned', holderId: null, notBeforeMs: 500 }));
    expect(step(waiting.state, { kind: 'tick' }, 500).effects).toEqual([{ kind: 'claim', sessionId: 's1' }]);
  });

  it('is left when that was to follow', () => {
    const leaving: GroupState = { ...releasing, after: { kind: 'closed', reason: 'work-ended' } };
    expect(step(leaving, { kind: 'released' })).toEqual({
      state: { ...closed, reason: 'work-ended' },
      effects: [{ kind: 'finish', reason: 'work-ended' }],
    });
  });

  it('has yielded when its session is lost', () => {
    expect(step(releasing, { kind: 'session-lost', sessionId: 's1', reason: 'expired' }, 100)).toEqual(
      unchanged({ ...standby, reason: 'resigned', sessionId: null, holderId: null, notBeforeMs: 500 }),
    );
  });
});

describe('a group that is closed', () => {
  it('nothing happens any more', () => {
    expect(ignored(closed)).toEqual(EVENTS.map((event) => event.kind));
    expect(groupDeadlineMs(closed, POLICY)).toBeNull();
  });
});

describe('any run of events', () => {
  const sessionId = fc.constantFrom('s1', 's1', 's2');
  const term = fc.integer({ min: 1, max: 4 });
  const reason = fc.constantFrom('expired' as const, 'lost-trust' as const);
  const usual: fc.Arbitrary<GroupEvent> = fc.oneof(
    fc.constantFrom<GroupEvent>({ kind: 'tick' }, { kind: 'beat' }, { kind: 'resign' }),
    fc.constantFrom<GroupEvent>({ kind: 'tick' }, { kind: 'released' }),
    fc.record({ kind: fc.constant('session-live' as const), sessionId }),
    fc.record({ kind: fc.constant('session-lost' as const), sessionId, reason }),
    fc.record({ kind: fc.constant('granted' as const), sessionId, term }),
    fc.record({ kind: fc.constant('granted' as const), sessionId, term }),
    fc.record({ kind: fc.constant('refused' as const), sessionId, holderId: fc.constant('other') }),
    fc.record({ kind: fc.constant('refused-busy' as const), sessionId }),
    fc.record({ kind: fc.constant('holder-gone' as const), reason: fc.constantFrom('expired' as const, 'released' as const) }),
    fc.record({ kind: fc.constant('work-settled' as const), failed: fc.boolean() }),
    fc.record({ kind: fc.constant('lease-missing' as const), term }),
  );
  const event = fc.oneof(
    { weight: 60, arbitrary: usual },
    { weight: 1, arbitrary: fc.constant<GroupEvent>({ kind: 'stop', reason: 'stopped' }) },
  );

  /** What one step breaks. `isWorking`: work was started and has not settled. */
  function broken(before: GroupState, next: GroupEvent, { state, effects }: GroupStep, isWorking: boolean): string[] {
    const found: string[] = [];
    for (const effect of effects) {
      if (effect.kind === 'start-work' && isWorking) found.push('T7: two works');
      if (effect.kind === 'start-work' && before.kind !== 'claiming') found.push('work without a claim');
      if (effect.kind === 'release' && isWorking && next.kind !== 'work-settled') found.push('T7: released under the work');
      if (effect.kind === 'abort-work' && before.kind !== 'leading') found.push('aborted twice');
      if (effect.kind === 'claim' && (state.kind !== 'claiming' || effect.sessionId !== state.sessionId)) found.push('a stray claim');
      if (effect.kind === 'claim' && before.kind !== 'standby') found.push('claimed out of turn');
      if (effect.kind === 'finish' && state.kind !== 'closed') found.push('finished, not closed');
    }
    if (before.kind === 'closed' && state !== before) found.push('alive after its end');
    if (state.kind === 'leading' && state.sessionId !== state.lease.sessionId) found.push('T10: leads with another session');
    if (before.kind !== 'closed' && state.kind === 'closed' && !effects.some((effect) => effect.kind === 'finish'))
      found.push('never finished');
    return found;
  }

  it('T7, T10, F4: one work at a time, released only when it has settled, claimed only from standby, finished once', () => {
    let startCount = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(event, fc.integer({ min: 0, max: 400 })), { maxLength: 80, size: 'max' }),
        fc.constantFrom('stop' as const, 'contend' as const),
        (run, onEnd) => {
          let nowMs = 0;
          let state = initialGroup('s1');
          let isWorking = false;
          for (const [next, ms] of run) {
            // Only work that is under way can settle.
            if (next.kind === 'work-settled' && !isWorking) continue;
            nowMs += ms;
            const result = step(state, next, nowMs, { onEnd });
            expect(broken(state, next, result, isWorking)).toEqual([]);
            state = result.state;
            if (next.kind === 'work-settled') isWorking = false;
            if (result.effects.some((effect) => effect.kind === 'start-work')) {
              isWorking = true;
              startCount += 1;
            }
          }
        },
      ),
      { numRuns: 500 },
    );
    expect(startCount).toBeGreaterThan(100);
  });
});
