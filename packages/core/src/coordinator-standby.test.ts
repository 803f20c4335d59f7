import { describe, expect, it } from 'vitest';
import { CoordinatorRig, HEARTBEAT_MS, type RigNode, SMOOTH, TTL_MS } from '../test-support/coordinator-rig.js';
import type { ClaimResult, LeaseHint, LeaseStore } from './lease-store.js';

async function leader(rig: CoordinatorRig, groupIds: readonly string[] = ['jobs']): Promise<RigNode> {
  const node = rig.start('leader');
  for (const groupId of groupIds) void node.lead(groupId);
  await rig.until('it leads', () => groupIds.every((groupId) => node.isLeading(groupId)));
  return node;
}

async function standby(
  rig: CoordinatorRig,
  memberId: string,
  groupIds: readonly string[] = ['jobs'],
  wrap?: (store: LeaseStore) => LeaseStore,
): Promise<RigNode> {
  const node = rig.start(memberId, wrap && { wrap });
  for (const groupId of groupIds) void node.lead(groupId);
  await rig.until('it stands by', () => groupIds.every((groupId) => node.group(groupId)?.leader != null));
  return node;
}

describe('a standby', () => {
  it('§8: takes over right after the expiry of the holder, by the store’s word of what remains, without having asked again', async () => {
    const rig = new CoordinatorRig();
    const a = await leader(rig);
    const b = await standby(rig, 'b');
    await rig.runFor(5 * TTL_MS);
    a.kill();
    const before = b.calls.length;
    const { expiresAt } = rig.database.sessions.get(a.sessionId!)!;
    await rig.until('b leads', () => b.isLeading('jobs'), 2 * TTL_MS);
    expect(b.callsOf('claim').at(-1)!.atMs).toBeGreaterThanOrEqual(expiresAt);
    expect(b.callsOf('claim').at(-1)!.atMs).toBeLessThan(expiresAt + 5);
    expect(new Set(b.calls.slice(before).map((call) => call.operation))).toEqual(new Set(['heartbeat', 'claim']));
    expect(b.history('jobs').slice(-2)).toEqual(['standby→claiming (expired)', 'claiming→leading (elected)']);
  });

  it('§8: a store that is far away is asked when the claim arrives with the expiry: the way there is not waited for twice', async () => {
    const rig = new CoordinatorRig();
    const a = await leader(rig);
    const b = await standby(rig, 'b');
    const WAY_MS = 20;
    b.fate = () => ({ deliverAfterMs: [WAY_MS], replyAfterMs: WAY_MS });
    await rig.runFor(2 * TTL_MS);
    a.kill();
    const before = b.callsOf('claim').length;
    const { expiresAt } = rig.database.sessions.get(a.sessionId!)!;
    await rig.until('b leads', () => b.isLeading('jobs'), 2 * TTL_MS);
    const claims = b.callsOf('claim').slice(before);
    expect(claims.length).toBe(1);
    expect(claims[0]!.atMs + WAY_MS).toBeGreaterThanOrEqual(expiresAt);
    expect(claims[0]!.atMs + WAY_MS).toBeLessThan(expiresAt + 5);
  });

  it('T1: a claim that is quicker than the question before, and comes too early, is refused and sent again when it is time', async () => {
    const rig = new CoordinatorRig();
    const a = await leader(rig);
    const b = await standby(rig, 'b');
    b.fate = (operation) => (operation === 'heartbeat' ? { deliverAfterMs: [40], replyAfterMs: 1 } : SMOOTH);
    await rig.runFor(2 * TTL_MS);
    a.kill();
    const before = b.callsOf('claim').length;
    const { expiresAt } = rig.database.sessions.get(a.sessionId!)!;
    await rig.until('b leads', () => b.isLeading('jobs'), 2 * TTL_MS);
    const sentAtMs = b
      .callsOf('claim')
      .slice(before)
      .map((call) => call.atMs);
    expect(sentAtMs.length).toBe(2);
    expect(sentAtMs[0]!).toBeLessThan(expiresAt - 30);
    expect(sentAtMs[1]!).toBeGreaterThanOrEqual(expiresAt - 1);
    expect(sentAtMs[1]!).toBeLessThan(expiresAt + 5);
  });

  it('§8: of a crowd the oldest goes first, and the others do not race it for the row', async () => {
    const rig = new CoordinatorRig();
    const a = await leader(rig);
    const crowd: RigNode[] = [];
    for (const memberId of ['b', 'c', 'd', 'e']) crowd.push(await standby(rig, memberId));
    await rig.runFor(2 * TTL_MS);
    a.kill();
    await rig.until('somebody leads', () => crowd.some((node) => node.isLeading('jobs')), 2 * TTL_MS);
    await rig.runFor(50);
    expect(crowd.map((node) => node.isLeading('jobs'))).toEqual([true, false, false, false]);
    const claimedAtMs = crowd.map((node) => node.callsOf('claim').at(-1)!.atMs);
    for (const [index, atMs] of claimedAtMs.slice(1).entries()) expect(atMs - claimedAtMs[index]!).toBeGreaterThan(1.5);
    expect(claimedAtMs.at(-1)! - claimedAtMs[0]!).toBeLessThan(20);
  });

  it('learns of a release with its next heartbeat where no hint comes, and looks at that holder’s groups once', async () => {
    const rig = new CoordinatorRig();
    const a = await leader(rig, ['jobs', 'mail', 'more']);
    const b = await standby(rig, 'b', ['jobs', 'mail', 'more']);
    await rig.runFor(2 * TTL_MS);
    expect(b.callsOf('read')).toEqual([]);
    a.work('mail').run.end();
    await rig.until('b leads it', () => b.isLeading('mail'), HEARTBEAT_MS + 10);
    expect(b.callsOf('read').map((call) => (call.args[0] as string[]).toSorted())).toEqual([['jobs', 'mail', 'more']]);
    expect(b.group('jobs')).toMatchObject({ state: 'standby', leader: { memberId: 'leader' } });
    await rig.runFor(5 * TTL_MS);
    expect(b.callsOf('read').length).toBe(1);
  });

  it('learns of a closed session with its next heartbeat', async () => {
    const rig = new CoordinatorRig();
    const a = await leader(rig);
    const b = await standby(rig, 'b');
    rig.database.closeSession(a.sessionId!, rig.storeNow);
    a.kill();
    await rig.until('b leads', () => b.isLeading('jobs'), HEARTBEAT_MS + 10);
    expect(b.history('jobs').at(-2)).toBe('standby→claiming (expired)');
  });

  it('T8: tries again a little later when the row is locked, and takes nobody for the holder meanwhile', async () => {
    const rig = new CoordinatorRig();
    let busyCount = 0;
    const node = rig.start('a', {
      wrap: (store) => ({
        ...store,
        claim: async (sessionId, groupIds, call): Promise<readonly ClaimResult[]> => {
          busyCount += 1;
          if (busyCount > 3) return await store.claim(sessionId, groupIds, call);
          return groupIds.map((groupId) => ({ kind: 'refused', groupId, reason: 'busy' }));
        },
      }),
    });
    void node.lead('jobs');
    await rig.until('it is busy', () => node.group('jobs')?.reason === 'busy');
    expect(node.group('jobs')).toMatchObject({ state: 'standby', leader: null });
    await rig.until('it leads', () => node.isLeading('jobs'), 4 * HEARTBEAT_MS);
    const sentAtMs = node.callsOf('claim').map((call) => call.atMs);
    expect(sentAtMs.length).toBe(4);
    for (const [index, atMs] of sentAtMs.slice(1).entries()) expect(atMs - sentAtMs[index]!).toBeGreaterThanOrEqual(HEARTBEAT_MS);
  });

  it('S2: opens another session when a claim is answered that its own is dead', async () => {
    const rig = new CoordinatorRig();
    const node = rig.start('a');
    node.fate = (operation) => (operation === 'claim' ? { deliverAfterMs: [50], replyAfterMs: 1 } : SMOOTH);
    void node.lead('jobs');
    await rig.until('a claim is sent', () => node.callsOf('claim').length === 1);
    const sessionId = node.sessionId!;
    rig.database.closeSession(sessionId, rig.storeNow);
    node.reconnect();
    await rig.until('it leads', () => node.isLeading('jobs'), HEARTBEAT_MS - 20);
    expect(node.sessionId).not.toBe(sessionId);
    expect(node.events).toContainEqual({ kind: 'session', from: 'live', to: 'lost', reason: 'expired', sessionId });
  });

  it('begins anew with its next session, whoever it waited for', async () => {
    const rig = new CoordinatorRig();
    const a = await leader(rig);
    const b = await standby(rig, 'b');
    rig.database.closeSession(b.sessionId!, rig.storeNow);
    await rig.until(
      'it has another session and stands by again',
      () => b.callsOf('openSession').length === 2 && b.group('jobs')?.state === 'standby' && b.group('jobs')?.leader != null,
      TTL_MS,
    );
    await rig.runFor(10);
    expect(rig.database.read(['jobs'], rig.storeNow)[0]!.contenderCount).toBe(2);
    a.kill();
    await rig.until('b leads', () => b.isLeading('jobs'), TTL_MS + HEARTBEAT_MS);
  });
});

describe('W1: hints', () => {
  /** A store whose hints the test gives. */
  function hinting(give: (hint: (hint: LeaseHint) => void) => void): (store: LeaseStore) => LeaseStore {
    return (store) => ({
      ...store,
      watch: (onHint) => {
        give(onHint);
        return Promise.resolve({ [Symbol.asyncDispose]: () => Promise.resolve() });
      },
    });
  }

  it('that name a group make a standby look at it, and at no other', async () => {
    const rig = new CoordinatorRig();
    const a = await leader(rig, ['jobs', 'mail']);
    let hint: (hint: LeaseHint) => void = () => undefined;
    const b = await standby(
      rig,
      'b',
      ['jobs', 'mail'],
      hinting((given) => {
        hint = given;
      }),
    );
    await rig.runFor(TTL_MS);
    hint({ groupIds: ['jobs', 'not mine'] });
    hint({ groupIds: ['not mine'] });
    hint({ groupIds: [] });
    await rig.runFor(10);
    expect(b.callsOf('read').map((call) => call.args[0])).toEqual([['jobs']]);
    expect(b.group('jobs')).toMatchObject({ state: 'standby', leader: { memberId: 'leader' } });
    expect(a.isLeading('jobs')).toBe(true);
  });

  it('that say of a group that it is free make the first in the queue claim it at once, and the others look first', async () => {
    const rig = new CoordinatorRig();
    const a = await leader(rig);
    const hints: ((hint: LeaseHint) => void)[] = [];
    const standbys: Awaited<ReturnType<typeof standby>>[] = [];
    for (const name of ['b', 'c']) {
      standbys.push(
        await standby(
          rig,
          name,
          ['jobs'],
          hinting((given) => {
            hints.push(given);
          }),
        ),
      );
    }
    const [b, c] = standbys as [(typeof standbys)[0], (typeof standbys)[0]];
    await rig.runFor(TTL_MS);
    const [ofB, ofC] = [b.calls.length, c.calls.length];
    a.work('jobs').run.end();
    await rig.runFor(5);
    for (const hint of hints) hint({ groupIds: ['jobs'], freed: true });
    await rig.until('b leads', () => b.isLeading('jobs'), 30);
    expect(b.calls.slice(ofB).map((call) => call.operation)).toEqual(['claim']);
    await rig.runFor(20);
    expect(c.calls.slice(ofC).map((call) => call.operation)).toEqual(['read']);
    // One that is wrong is refused.
    hints[1]!({ groupIds: ['jobs'], freed: true });
    await rig.runFor(20);
    expect(c.group('jobs')).toMatchObject({ state: 'standby', leader: { memberId: 'b' } });
  });

  it('that name none are collected, and make one early heartbeat', async () => {
    const rig = new CoordinatorRig();
    const a = await leader(rig);
    let hint: (hint: LeaseHint) => void = () => undefined;
    const b = await standby(
      rig,
      'b',
      ['jobs'],
      hinting((given) => {
        hint = given;
      }),
    );
    await rig.until('b sends a heartbeat', () => b.callsOf('heartbeat').length > 3);
    await rig.runFor(20);
    const before = b.calls.length;
    a.work('jobs').run.end();
    await rig.runFor(5);
    for (let index = 0; index < 16; index += 1) {
      hint({});
      await rig.runFor(0.5);
    }
    await rig.until('b leads', () => b.isLeading('jobs'), 30);
    expect(b.calls.slice(before).map((call) => call.operation)).toEqual(['heartbeat', 'read', 'claim']);
  });

  it('are never needed: one that is wrong changes nothing, and one that comes after the end touches nothing', async () => {
    const rig = new CoordinatorRig();
    let hint: (hint: LeaseHint) => void = () => undefined;
    const node = rig.start('a', {
      wrap: hinting((given) => {
        hint = given;
      }),
    });
    void node.lead('jobs');
    await rig.until('it leads', () => node.isLeading('jobs'));
    hint({ groupIds: ['jobs'] });
    await rig.runFor(10);
    expect(node.isLeading('jobs')).toBe(true);
    expect(node.callsOf('read')).toEqual([]);
    await rig.settle(node.coordinator.close(), 10);
    const before = node.calls.length;
    hint({ groupIds: ['jobs'] });
    hint({});
    await rig.runFor(TTL_MS);
    expect(node.calls.length).toBe(before);
    expect(node.timers.waitingCount).toBe(0);
  });
});
