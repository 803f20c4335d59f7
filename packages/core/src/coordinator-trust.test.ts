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

describe('what the store says', () => {
  it('T5, S2: a dead session ends leadership at once, and a new one follows', async () => {
    const rig = new CoordinatorRig();
    const [a, run] = await leader(rig);
    rig.database.closeSession(run.context.lease.sessionId, rig.storeNow);
    await rig.until('the signal aborts', () => run.context.signal.aborted, HEARTBEAT_MS + 10);
    expect(run.context.signal.reason).toMatchObject({ reason: 'expired' });
    expect(run.context.lease.isHeld()).toBe(false);
    await rig.until('it leads again', () => a.isLeading('jobs'), 50);
    expect(a.work('jobs').run.context).toMatchObject({ term: 2 });
    const session = a.events.flatMap((event) => (event.kind === 'session' ? [`${event.from}→${event.to} (${event.reason})`] : []));
    expect(session).toEqual([
      'joining→joining (started)',
      'joining→live (opened)',
      'live→lost (expired)',
      'lost→joining (rejoining)',
      'joining→live (opened)',
    ]);
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

  it('T4: a lease that the store no longer has is not held while its work settles', async () => {
    const rig = new CoordinatorRig();
    const a = rig.start('a');
    void a.lead('jobs', {}, true);
    await rig.until('it leads', () => a.isLeading('jobs'));
    const { run } = a.work('jobs');
    rig.database.release(run.context.lease.sessionId, [{ groupId: 'jobs', term: 1 }], rig.storeNow);
    rig.database.claim(run.context.lease.sessionId, ['unheard-of'], rig.storeNow);
    await rig.until('the signal aborts', () => run.context.signal.aborted, HEARTBEAT_MS + 10);
    expect(run.isSettled).toBe(false);
    expect(run.context.lease.isHeld()).toBe(false);
    await expect(run.context.lease.ensure(1)).rejects.toMatchObject({ code: 'LEASE_NOT_HELD' });
  });

  it('a lease that the store no longer has is given up, and one that it granted unheard goes back (the trap of the late claim)', async () => {
    const rig = new CoordinatorRig();
    const [a, run] = await leader(rig);
    const { sessionId } = run.context.lease;
    rig.database.release(sessionId, [{ groupId: 'jobs', term: 1 }], rig.storeNow);
    rig.database.claim(sessionId, ['unheard-of'], rig.storeNow);
    await rig.until('the signal aborts', () => run.context.signal.aborted, HEARTBEAT_MS + 10);
    expect(run.context.signal.reason).toMatchObject({ reason: 'lost-lease' });
    await rig.until('it leads again', () => a.isLeading('jobs'), HEARTBEAT_MS);
    expect(a.work('jobs').run.context).toMatchObject({ term: 2, lease: { sessionId } });
    expect(rig.holderOf('unheard-of')).toBeNull();
    expect(rig.database.leases.get('unheard-of')?.term).toBe(1);
  });

  it('T9: no lost reply, in whatever place, orphans the group', async () => {
    const operations = ['migrate', 'openSession', 'contend', 'claim', 'heartbeat', 'release', 'closeSession', 'held', 'withdraw'];
    for (const operation of operations) {
      const rig = new CoordinatorRig();
      const a = rig.start('a');
      let lostCount = 0;
      a.fate = (at) => {
        if (at !== operation || lostCount > 0) return SMOOTH;
        lostCount += 1;
        return REPLY_LOST;
      };
      void a.lead('jobs', { onEnd: 'contend', backOff: { minMs: 0 } });
      await rig.until(`a leads though a reply to ${operation} may be lost`, () => a.isLeading('jobs'), TTL_MS + HEARTBEAT_MS);
      a.work('jobs').run.end();
      await rig.until(
        `a leads again though a reply to ${operation} may be lost`,
        () => a.work('jobs').runs.length === 2,
        TTL_MS + HEARTBEAT_MS,
      );
      await rig.runFor(2 * TTL_MS);
      expect(a.isLeading('jobs')).toBe(true);
      const b = rig.start('b');
      void b.lead('jobs');
      await rig.runFor(HEARTBEAT_MS);
      void a.coordinator.close();
      await rig.until(`b leads though a reply to ${operation} may be lost`, () => b.isLeading('jobs'), TTL_MS + HEARTBEAT_MS);
    }
  });
});

describe('a store that is down at boot', () => {
  it('F17: is tried again with back-off, visibly, until it is there', async () => {
    const rig = new CoordinatorRig();
    let isDown = true;
    const a = rig.start('a', {
      wrap: (store) => ({
        ...store,
        migrate: (call) => (isDown ? Promise.reject(new Error('connect ECONNREFUSED')) : store.migrate(call)),
      }),
    });
    void a.lead('jobs');
    await rig.runFor(10 * TTL_MS);
    const faults = a.events.filter((event) => event.kind === 'store-fault');
    const attempts = a.callsOf('migrate');
    // More and more slowly, up to one attempt per heartbeat; never in a tight loop.
    expect(attempts.length).toBe(faults.length);
    expect(faults.length).toBeGreaterThan((10 * TTL_MS) / HEARTBEAT_MS - 1);
    expect(faults.length).toBeLessThan((2 * 10 * TTL_MS) / HEARTBEAT_MS + 20);
    expect(faults[0]).toMatchObject({ operation: 'migrate', failureCount: 1, error: { code: 'STORE_FAULT' } });
    expect(faults.map((fault) => fault.failureCount)).toEqual(faults.map((_, index) => index + 1));
    expect(a.coordinator.status()).toMatchObject({ session: { state: 'joining', sessionId: null, trustedForMs: 0 } });
    expect(a.coordinator.status().storeFault?.message).toContain('ECONNREFUSED');
    isDown = false;
    await rig.until('it leads', () => a.isLeading('jobs'), HEARTBEAT_MS + 20);
    expect(a.events).toContainEqual({ kind: 'store-recovered', operation: 'migrate', failureCount: faults.length });
    expect(a.coordinator.status().storeFault).toBeNull();
  });

  it('F17: one whose tables are there need not be migrated', async () => {
    const rig = new CoordinatorRig();
    const [a] = await leader(rig, { migrate: false });
    expect(a.callsOf('migrate')).toEqual([]);
    const [b] = await leader(new CoordinatorRig());
    expect(b.callsOf('migrate').length).toBe(1);
  });

  it('an `openSession` of unknown outcome is not repeated: the next attempt has another id, and the ghost expires', async () => {
    const rig = new CoordinatorRig();
    const a = rig.start('a');
    let lostCount = 0;
    a.fate = (operation) => {
      if (operation !== 'openSession' || lostCount > 0) return SMOOTH;
      lostCount += 1;
      return REPLY_LOST;
    };
    void a.lead('jobs');
    await rig.until('it leads', () => a.isLeading('jobs'), TTL_MS);
    const ids = a.callsOf('openSession').map((call) => (call.args[0] as { readonly sessionId: string }).sessionId);
    expect(new Set(ids).size).toBe(2);
    expect(rig.database.members(rig.storeNow).length).toBe(2);
    await rig.runFor(TTL_MS);
    expect(rig.database.members(rig.storeNow).map((member) => member.sessionId)).toEqual([ids[1]]);
  });
});
