import { describe, expect, it } from 'vitest';
import {
  CALL_DEADLINE_MS,
  CoordinatorRig,
  HEARTBEAT_MS,
  REPLY_LOST,
  type RigNode,
  SMOOTH,
  TRUST_MS,
  TTL_MS,
} from '../test-support/coordinator-rig.js';
import type { Fate } from './testing/index.js';
import type { Lease } from './coordinator-types.js';
import { LeaseNotHeldError, WbOptionError } from './errors.js';

async function leader(rig: CoordinatorRig): Promise<[RigNode, Lease]> {
  const node = rig.start('a');
  void node.lead('jobs');
  await rig.until('it leads', () => node.isLeading('jobs'));
  return [node, node.work('jobs').run.context.lease];
}

/** Ends the lease by closing its session in the store, and waits until the member knows. */
async function end(rig: CoordinatorRig, lease: Lease): Promise<void> {
  rig.database.closeSession(lease.sessionId, rig.storeNow);
  await rig.until('the lease is over', () => !lease.isHeld(), HEARTBEAT_MS + 10);
}

describe('a lease', () => {
  it('tells its group, term and session, as the store has them', async () => {
    const rig = new CoordinatorRig();
    const [node, lease] = await leader(rig);
    expect(lease).toMatchObject({ groupId: 'jobs', term: 1, sessionId: node.sessionId });
    expect(rig.database.leases.get('jobs')).toEqual({ term: 1, holderId: lease.sessionId });
  });

  it('T4: `remainingMs` falls with the clock, and rises with each acknowledged heartbeat', async () => {
    const rig = new CoordinatorRig();
    const [node, lease] = await leader(rig);
    const sentBefore = node.callsOf('heartbeat').length;
    await rig.until('a heartbeat is sent', () => node.callsOf('heartbeat').length > sentBefore);
    expect(lease.remainingMs()).toBeLessThanOrEqual(TRUST_MS - HEARTBEAT_MS + 1);
    await rig.runFor(3);
    expect(lease.remainingMs()).toBeGreaterThan(TRUST_MS - 4);
    expect(lease.remainingMs()).toBeLessThanOrEqual(TRUST_MS);
    node.cutOff();
    const [atMs, leftMs] = [rig.nowMs, lease.remainingMs()];
    await rig.runFor(300);
    expect(lease.remainingMs()).toBeCloseTo(leftMs - (rig.nowMs - atMs), 6);
  });

  it('`assertHeld` throws `LEASE_NOT_HELD` when it is not', async () => {
    const rig = new CoordinatorRig();
    const [, lease] = await leader(rig);
    expect(() => lease.assertHeld()).not.toThrow();
    await end(rig, lease);
    expect(() => lease.assertHeld()).toThrow(LeaseNotHeldError);
    expect(() => lease.assertHeld()).toThrow(expect.objectContaining({ code: 'LEASE_NOT_HELD', groupId: 'jobs', term: 1 }));
  });
});

describe('lease.ensure', () => {
  it('resolves without a store call when the lease is surely held for that long', async () => {
    const rig = new CoordinatorRig();
    const [node, lease] = await leader(rig);
    await rig.runFor(TTL_MS + HEARTBEAT_MS / 2);
    const before = node.calls.length;
    await rig.settle(lease.ensure(TRUST_MS - HEARTBEAT_MS), 0);
    expect(node.calls.length).toBe(before);
  });

  it('sends a heartbeat early when it is not', async () => {
    const rig = new CoordinatorRig();
    const [node, lease] = await leader(rig);
    await rig.runFor(HEARTBEAT_MS / 2);
    const before = node.callsOf('heartbeat').length;
    await rig.settle(lease.ensure(TRUST_MS - 10), 5);
    expect(node.callsOf('heartbeat').length).toBe(before + 1);
    expect(lease.remainingMs()).toBeGreaterThanOrEqual(TRUST_MS - 10);
  });

  it('F11: one heartbeat answers all who ask at once', async () => {
    const rig = new CoordinatorRig();
    const [node, lease] = await leader(rig);
    await rig.runFor(HEARTBEAT_MS / 2);
    const before = node.callsOf('heartbeat').length;
    await rig.settle(Promise.all(Array.from({ length: 50 }, () => lease.ensure(TRUST_MS - 10))), 5);
    expect(node.callsOf('heartbeat').length).toBe(before + 1);
  });

  it('T2: a heartbeat that was under way when it was asked does not do, if it was sent too early; the next one does', async () => {
    const rig = new CoordinatorRig();
    const [node, lease] = await leader(rig);
    node.fate = (operation) => (operation === 'heartbeat' ? { deliverAfterMs: [50], replyAfterMs: 50 } : SMOOTH);
    const before = node.callsOf('heartbeat').length;
    await rig.until('a slow heartbeat is under way', () => node.callsOf('heartbeat').length > before);
    await rig.runFor(60);
    node.reconnect();
    await rig.settle(lease.ensure(TRUST_MS - 10), 60);
    expect(node.callsOf('heartbeat').length).toBe(before + 2);
    expect(lease.remainingMs()).toBeGreaterThanOrEqual(TRUST_MS - 10);
  });

  it('rejects when the heartbeat fails and what is left is too little, though the lease is held', async () => {
    const rig = new CoordinatorRig();
    const [node, lease] = await leader(rig);
    await rig.runFor(HEARTBEAT_MS / 2);
    node.fate = () => REPLY_LOST;
    const asking = lease.ensure(TRUST_MS - 10);
    await expect(rig.settle(asking, CALL_DEADLINE_MS + 1)).rejects.toMatchObject({ name: 'LeaseNotHeldError', code: 'LEASE_NOT_HELD' });
    await expect(asking).rejects.toThrow('"jobs" is not held in term 1 for another 890 ms');
    expect(lease.isHeld()).toBe(true);
    await rig.settle(lease.ensure(100), 0);
  });

  it('rejects when the lease is over, at once', async () => {
    const rig = new CoordinatorRig();
    const [node, lease] = await leader(rig);
    await end(rig, lease);
    const before = node.callsOf('heartbeat').length;
    await expect(lease.ensure(1)).rejects.toMatchObject({ code: 'LEASE_NOT_HELD', groupId: 'jobs', term: 1 });
    expect(node.callsOf('heartbeat').length).toBe(before);
  });

  it('rejects when the lease ends while it waits', async () => {
    const rig = new CoordinatorRig();
    const [, lease] = await leader(rig);
    await rig.runFor(HEARTBEAT_MS / 2);
    rig.database.closeSession(lease.sessionId, rig.storeNow);
    await expect(rig.settle(lease.ensure(TRUST_MS - 10), 10)).rejects.toMatchObject({ code: 'LEASE_NOT_HELD' });
  });

  it('rejects when the member is paused past its trust while it waits', async () => {
    const rig = new CoordinatorRig();
    const [node, lease] = await leader(rig);
    await rig.runFor(HEARTBEAT_MS / 2);
    const asking = lease.ensure(TRUST_MS - 10);
    node.clock.pause();
    await rig.runFor(TTL_MS);
    node.clock.resume();
    await expect(rig.settle(asking, 10)).rejects.toMatchObject({ code: 'LEASE_NOT_HELD' });
  });

  it.each<[string, Fate]>([
    ['the heartbeat fails', REPLY_LOST],
    ['the heartbeat is answered while the session is being closed', { deliverAfterMs: [5], replyAfterMs: 20 }],
  ])('rejects when the coordinator is closed while it waits, and %s: nobody is left waiting', async (_, fate) => {
    const rig = new CoordinatorRig();
    const [node, lease] = await leader(rig);
    await rig.runFor(HEARTBEAT_MS / 2);
    node.fate = (operation) =>
      operation === 'heartbeat' ? fate : operation === 'closeSession' ? { deliverAfterMs: [50], replyAfterMs: 1 } : SMOOTH;
    const asking = lease.ensure(TRUST_MS - 10);
    const outcome = asking.then(
      () => 'ensured',
      (error: unknown) => error,
    );
    await rig.runFor(5);
    await rig.settle(node.coordinator.close(), 100);
    expect(await rig.settle(outcome, 10)).toMatchObject({ code: 'LEASE_NOT_HELD' });
  });

  it('refuses what no heartbeat could ever ensure, and what is no duration', async () => {
    const rig = new CoordinatorRig();
    const [node, lease] = await leader(rig);
    const before = node.calls.length;
    for (const ms of [TRUST_MS + 1, 0, -1, Number.NaN, Number.POSITIVE_INFINITY, '100' as unknown as number]) {
      await expect(lease.ensure(ms)).rejects.toBeInstanceOf(WbOptionError);
      await expect(lease.ensure(ms)).rejects.toMatchObject({ code: 'INVALID_OPTION', field: 'ms' });
    }
    await expect(lease.ensure(TRUST_MS + 1)).rejects.toThrow('`ms` (901) must be above 0 and at most `ttlMs − safetyMarginMs` (900)');
    expect(node.calls.length).toBe(before);
  });
});
