import { describe, expect, it } from 'vitest';
import {
  CoordinatorRig,
  HEARTBEAT_MS,
  type NodeOptions,
  REPLY_LOST,
  type RigNode,
  SMOOTH,
  TTL_MS,
} from '../test-support/coordinator-rig.js';
import type { Run } from '../test-support/scripted-work.js';

async function leader(rig: CoordinatorRig, options: NodeOptions = {}): Promise<[RigNode, Run]> {
  const node = rig.start('a', options);
  void node.lead('jobs');
  await rig.until('it leads', () => node.isLeading('jobs'));
  return [node, node.work('jobs').run];
}

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
