import { describe, expect, it } from 'vitest';
import {
  CALL_DEADLINE_MS,
  CoordinatorRig,
  HEARTBEAT_MS,
  MARGIN_MS,
  type NodeOptions,
  REPLY_LOST,
  REQUEST_LOST,
  type RigNode,
  SMOOTH,
  TRUST_MS,
  TTL_MS,
} from '../test-support/coordinator-rig.js';
import type { Run } from '../test-support/scripted-work.js';

async function leader(rig: CoordinatorRig, options: NodeOptions = {}): Promise<[RigNode, Run]> {
  const node = rig.start('a', options);
  void node.lead('jobs');
  await rig.until('it leads', () => node.isLeading('jobs'));
  return [node, node.work('jobs').run];
}

function lastSentAtMs(node: RigNode, operation: string): number {
  return node.callsOf(operation).at(-1)!.atMs;
}

describe('a leader whose session is none on the server that answers now', () => {
  it('T6, T7: frees its groups there when its work has stopped, neither before nor a TTL later', async () => {
    const rig = new CoordinatorRig();
    let isAnother = false;
    // The session is live in the rows that the other server has received, and a heartbeat extends it.
    const [a, run] = await leader(rig, {
      wrap: (store) => ({
        ...store,
        heartbeat: async (request, options) => {
          const answer = await store.heartbeat(request, options);
          return isAnother && request.sessionId === run.context.lease.sessionId ? { alive: false } : answer;
        },
      }),
    });
    const b = rig.start('b');
    void b.lead('jobs');
    await rig.until('b stands by', () => b.group('jobs')?.state === 'standby');
    isAnother = true;
    await rig.until('the signal aborts', () => run.context.signal.aborted, 2 * HEARTBEAT_MS);
    expect(a.sessionId).not.toBe(run.context.lease.sessionId);
    await rig.runFor(TRUST_MS / 2, () => expect(b.isLeading('jobs')).toBe(false));
    run.end();
    // One of the two, under another session.
    await rig.until('it is led again', () => a.isLeading('jobs') || b.isLeading('jobs'), HEARTBEAT_MS + 50);
  });
});

describe('a leader that was away', () => {
  it('F9, T4: is told so when it goes on after its trust has ended, and knows it before it was told', async () => {
    const rig = new CoordinatorRig();
    const [a, run] = await leader(rig);
    expect(run.context.lease.isHeld()).toBe(true);
    a.clock.pause();
    await rig.runFor(TRUST_MS + 1);
    // As right after the event loop was blocked: no timer has run yet.
    a.clock.resume();
    expect(run.context.signal.aborted).toBe(false);
    expect(run.context.lease.isHeld()).toBe(false);
    expect(run.context.lease.remainingMs()).toBe(0);
    await rig.until('the signal aborts', () => run.context.signal.aborted, 1);
    expect(run.context.signal.reason).toMatchObject({ code: 'LEADERSHIP_ENDED', reason: 'lost-trust', term: 1 });
  });

  it('F9: goes on working when it was away for less than its trust', async () => {
    const rig = new CoordinatorRig();
    const [a, run] = await leader(rig);
    a.clock.pause();
    await rig.runFor(TRUST_MS - HEARTBEAT_MS - 5);
    a.clock.resume();
    expect(run.context.lease.isHeld()).toBe(true);
    await rig.runFor(5 * TTL_MS, () => expect(run.context.signal.aborted).toBe(false));
  });

  it('T3: knows it too when its monotonic clock stood still meanwhile, as on a machine that slept', async () => {
    const rig = new CoordinatorRig();
    const [a, run] = await leader(rig);
    a.clock.pause(true);
    await rig.runFor(TTL_MS);
    a.clock.resume();
    expect(run.context.signal.aborted).toBe(false);
    expect(run.context.lease.isHeld()).toBe(false);
    await rig.until('the signal aborts', () => run.context.signal.aborted, HEARTBEAT_MS + 1);
    expect(run.context.signal.reason).toMatchObject({ reason: 'lost-trust' });
  });

  it('T3: a wall clock that was set forward ends trust at once, and is noticed within a heartbeat', async () => {
    const rig = new CoordinatorRig();
    const [a, run] = await leader(rig);
    a.clock.jump(3_600_000);
    expect(run.context.lease.isHeld()).toBe(false);
    await rig.until('the signal aborts', () => run.context.signal.aborted, HEARTBEAT_MS + 1);
    await rig.until(
      'it leads again, with another session',
      () => a.isLeading('jobs') && a.sessionId !== run.context.lease.sessionId,
      2 * TTL_MS,
    );
  });

  it('T3: also while a heartbeat is under way, however long its deadline', async () => {
    const rig = new CoordinatorRig();
    const [a, run] = await leader(rig, { heartbeatMs: 50, callDeadlineMs: 425 });
    a.cutOff();
    const before = a.callsOf('heartbeat').length;
    await rig.until('a heartbeat is under way', () => a.callsOf('heartbeat').length > before);
    a.clock.jump(3_600_000);
    await rig.runFor(51);
    expect(run.context.signal.reason).toMatchObject({ reason: 'lost-trust' });
  });

  it('T3: a wall clock that was set back keeps nobody in office: the monotonic clock decides', async () => {
    const rig = new CoordinatorRig();
    const [a, run] = await leader(rig);
    a.clock.jump(-3_600_000);
    a.cutOff();
    const sentAtMs = a.callsOf('heartbeat').at(-1)?.atMs ?? lastSentAtMs(a, 'openSession');
    await rig.until('the signal aborts', () => run.context.signal.aborted, TTL_MS);
    expect(rig.nowMs).toBeLessThanOrEqual(sentAtMs + TRUST_MS + 1);
  });

  it('T4: once over, a lease is over for ever, also when the member leads again', async () => {
    const rig = new CoordinatorRig();
    const [a, run] = await leader(rig);
    a.clock.pause();
    await rig.runFor(TTL_MS);
    a.clock.resume();
    await rig.until('it leads again', () => a.work('jobs').runs.length === 2 && a.isLeading('jobs'), 2 * TTL_MS);
    expect(a.work('jobs').run.context.lease.isHeld()).toBe(true);
    expect(run.context.lease.isHeld()).toBe(false);
    expect(run.context.lease.remainingMs()).toBe(0);
  });

  it('T4: once `isHeld()` has said no, it never says yes again, though the wall clock was only set forward and back', async () => {
    const rig = new CoordinatorRig();
    const [a, run] = await leader(rig);
    a.clock.jump(TTL_MS);
    expect(run.context.lease.isHeld()).toBe(false);
    a.clock.jump(-TTL_MS);
    expect(run.context.lease.isHeld()).toBe(false);
    expect(run.context.lease.remainingMs()).toBe(0);
    await rig.until('the signal aborts', () => run.context.signal.aborted, HEARTBEAT_MS + 1);
    expect(run.context.signal.reason).toMatchObject({ reason: 'lost-trust' });
    await rig.until('it leads again', () => a.isLeading('jobs'), 2 * TTL_MS);
    expect(a.work('jobs').run.context.lease.isHeld()).toBe(true);
    expect(run.context.lease.isHeld()).toBe(false);
  });
});

describe('a leader that is cut off from the store', () => {
  it('T2: lets go a safety margin before the store does, counted from when its last acknowledged heartbeat was sent', async () => {
    const rig = new CoordinatorRig();
    // A slow way, so that "sent" and "acknowledged" differ.
    const [a, run] = await leader(rig);
    a.fate = () => ({ deliverAfterMs: [60], replyAfterMs: 60 });
    const before = a.callsOf('heartbeat').length;
    await rig.until('a slow heartbeat is sent', () => a.callsOf('heartbeat').length === before + 1);
    const sentAtMs = lastSentAtMs(a, 'heartbeat');
    await rig.until('it is acknowledged', () => run.context.lease.remainingMs() > TRUST_MS - HEARTBEAT_MS);
    a.cutOff();
    await rig.until('the signal aborts', () => run.context.signal.aborted, TTL_MS);
    expect(rig.nowMs).toBeGreaterThanOrEqual(sentAtMs + TRUST_MS);
    expect(rig.nowMs).toBeLessThan(sentAtMs + TRUST_MS + 1);
    const { expiresAt } = rig.database.sessions.get(run.context.lease.sessionId)!;
    expect(expiresAt).toBeGreaterThanOrEqual(rig.nowMs + MARGIN_MS);
    expect(rig.holderOf('jobs')).toBe(run.context.lease.sessionId);
  });

  it('T2, T6: its successor never works while it may, at any rate of its clock that the margin allows', async () => {
    for (const rate of [0.92, 1, 1.08]) {
      const rig = new CoordinatorRig();
      const [a, run] = await leader(rig, { rate });
      const b = rig.start('b');
      void b.lead('jobs');
      await rig.runFor(TTL_MS);
      a.cutOff();
      await rig.until('b leads', () => b.isLeading('jobs'), 2 * TTL_MS);
      expect(run.isSettled).toBe(true);
    }
  });

  it('T2: survives two lost calls in a row, whatever they were lost to', async () => {
    for (const loss of [REQUEST_LOST, REPLY_LOST]) {
      const rig = new CoordinatorRig();
      const [a, run] = await leader(rig);
      await rig.runFor(TTL_MS);
      let lostCount = 0;
      a.fate = (operation) => {
        if (operation !== 'heartbeat' || lostCount === 2) return SMOOTH;
        lostCount += 1;
        return loss;
      };
      await rig.runFor(3 * TTL_MS, () => expect(run.context.signal.aborted).toBe(false));
      expect(lostCount).toBe(2);
      expect(a.events.filter((event) => event.kind === 'store-fault').length).toBe(2);
    }
  });

  it('T5, F11: a store that never answers has one heartbeat of it at a time, and each call ends at its deadline', async () => {
    const rig = new CoordinatorRig();
    let waitingCount = 0;
    let mostWaiting = 0;
    let isSilent = false;
    const [a, run] = await leader(rig, {
      wrap: (store) => ({
        ...store,
        // Deaf to the signal as well.
        heartbeat: (request, call) => {
          if (!isSilent) return store.heartbeat(request, call);
          waitingCount += 1;
          mostWaiting = Math.max(mostWaiting, waitingCount);
          call?.signal?.addEventListener('abort', () => {
            waitingCount -= 1;
          });
          return new Promise(() => undefined);
        },
      }),
    });
    isSilent = true;
    await rig.until('a call reaches its deadline', () => a.events.some((event) => event.kind === 'store-fault'), TTL_MS);
    expect(rig.nowMs - lastSentAtMs(a, 'heartbeat')).toBeLessThan(CALL_DEADLINE_MS + 1);
    expect(a.events.findLast((event) => event.kind === 'store-fault')).toMatchObject({
      operation: 'heartbeat',
      failureCount: 1,
      error: { code: 'STORE_TIMEOUT', isRetryable: true, outcome: 'unknown' },
    });
    await rig.until('the signal aborts', () => run.context.signal.aborted, TTL_MS);
    expect(run.context.signal.reason).toMatchObject({ reason: 'lost-trust' });
    expect(mostWaiting).toBe(1);
  });

  it('F11: its heartbeat that has no answer yet ends with the session, and not when the next one has long sent its own', async () => {
    const rig = new CoordinatorRig();
    const underWay = new Set<AbortSignal>();
    let mostUnderWay = 0;
    let isDeaf = false;
    const [a, run] = await leader(rig, {
      wrap: (store) => ({
        ...store,
        heartbeat: async (request, options) => {
          const signal = options!.signal!;
          underWay.add(signal);
          mostUnderWay = Math.max(mostUnderWay, [...underWay].filter(({ aborted }) => !aborted).length);
          try {
            if (isDeaf && request.sessionId === run.context.lease.sessionId) await new Promise(() => undefined);
            return await store.heartbeat(request, options);
          } finally {
            underWay.delete(signal);
          }
        },
      }),
    });
    isDeaf = true;
    await rig.until('it is live again', () => a.sessionId !== null && a.sessionId !== run.context.lease.sessionId, 2 * TTL_MS);
    await rig.runFor(2 * HEARTBEAT_MS);
    expect(mostUnderWay).toBe(1);
  });

  it('T5, T9: leads again as soon as the store answers again', async () => {
    const rig = new CoordinatorRig();
    const [a, run] = await leader(rig);
    a.cutOff();
    await rig.runFor(5 * TTL_MS);
    expect(a.coordinator.status().session.state).toBe('joining');
    expect(a.coordinator.status().storeFault).toMatchObject({ code: 'STORE_TIMEOUT' });
    a.reconnect();
    await rig.until('it leads again', () => a.isLeading('jobs'), HEARTBEAT_MS + CALL_DEADLINE_MS + 20);
    expect(a.work('jobs').run.context.term).toBe(run.context.term + 1);
    expect(a.coordinator.status().storeFault).toBeNull();
  });
});
