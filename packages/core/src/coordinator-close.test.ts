import { describe, expect, it } from 'vitest';
import { CoordinatorRig, HEARTBEAT_MS, REQUEST_LOST, REPLY_LOST, type RigNode, SMOOTH, TTL_MS } from '../test-support/coordinator-rig.js';

async function leader(rig: CoordinatorRig, isDeaf: boolean = false): Promise<RigNode> {
  const node = rig.start('a');
  void node.lead('jobs', {}, isDeaf);
  await rig.until('it leads', () => node.isLeading('jobs'));
  return node;
}

describe('closing a coordinator', () => {
  it('F14: releases everything at once, so that another leads within a heartbeat', async () => {
    const rig = new CoordinatorRig();
    const a = await leader(rig);
    const b = rig.start('b');
    void b.lead('jobs');
    await rig.until('b stands by', () => b.group('jobs')?.leader != null);
    await rig.settle(a.coordinator.close(), 10);
    expect(rig.holderOf('jobs')).toBeNull();
    expect(rig.database.members(rig.storeNow).map((member) => member.memberId)).toEqual(['b']);
    await rig.until('b leads', () => b.isLeading('jobs'), HEARTBEAT_MS + 10);
  });

  it('W1, F14: where the store can push, another leads within milliseconds', async () => {
    const rig = new CoordinatorRig();
    const [a, b] = ['a', 'b'].map((memberId) => rig.start(memberId, { isDirect: true })) as [RigNode, RigNode];
    void a.lead('jobs');
    await rig.until('a leads', () => a.isLeading('jobs'));
    void b.lead('jobs');
    await rig.until('b stands by', () => b.group('jobs')?.leader != null);
    await rig.runFor(HEARTBEAT_MS / 2);
    void a.coordinator.close();
    const closedAtMs = rig.nowMs;
    await rig.until('b leads', () => b.isLeading('jobs'));
    expect(rig.nowMs - closedAtMs).toBeLessThan(10);
  });

  it('T7: waits until the work has settled, and the heartbeat is the last thing to stop', async () => {
    const rig = new CoordinatorRig();
    const a = await leader(rig, true);
    const { run } = a.work('jobs');
    let isClosed = false;
    const closing = a.coordinator.close().then(() => {
      isClosed = true;
    });
    expect(run.context.signal.reason).toMatchObject({ reason: 'closed' });
    await rig.runFor(10 * TTL_MS, () => expect(rig.holderOf('jobs')).toBe(a.sessionId));
    expect(isClosed).toBe(false);
    expect(a.callsOf('heartbeat').at(-1)!.atMs).toBeGreaterThan(rig.nowMs - HEARTBEAT_MS - 1);
    run.end();
    await rig.settle(closing, 10);
    expect(a.calls.map((call) => call.operation).slice(-3)).toEqual(expect.arrayContaining(['release', 'closeSession']));
    expect(a.calls.at(-1)!.operation).toBe('closeSession');
    expect(a.callsOf('release').at(-1)!.atMs).toBeLessThanOrEqual(a.calls.at(-1)!.atMs);
  });

  it('resolves every `lead`, of leaders and of standbys alike, with `closed`', async () => {
    const rig = new CoordinatorRig();
    const other = await leader(rig);
    const node = rig.start('b');
    const results = [node.lead('jobs'), node.lead('mine')];
    await rig.until('it leads one and waits for the other', () => node.isLeading('mine') && node.group('jobs')?.leader != null);
    const closing = node.coordinator.close();
    expect(await rig.settle(Promise.all(results), 10)).toEqual([{ reason: 'closed' }, { reason: 'closed' }]);
    await rig.settle(closing, 10);
    expect(other.isLeading('jobs')).toBe(true);
    expect(rig.database.read(['jobs'], rig.storeNow)[0]!.contenderCount).toBe(1);
  });

  it('is idempotent: every call gives the same end, once', async () => {
    const rig = new CoordinatorRig();
    const a = await leader(rig);
    const first = a.coordinator.close();
    const second = a.coordinator.close();
    await rig.settle(Promise.all([first, second]), 10);
    await a.coordinator.close();
    await a.coordinator[Symbol.asyncDispose]();
    expect(a.callsOf('closeSession').length).toBe(1);
    expect(a.callsOf('close')).toEqual([]);
  });

  it('`await using` closes it', async () => {
    const rig = new CoordinatorRig();
    const a = await leader(rig);
    const used = (async (): Promise<void> => {
      await using coordinator = a.coordinator;
      expect(coordinator.status().session.state).toBe('live');
    })();
    await rig.settle(used, 10);
    expect(a.coordinator.status()).toMatchObject({ session: { state: 'closed', reason: 'closed' }, groups: [] });
    expect(rig.holderOf('jobs')).toBeNull();
  });

  it('leaves no timer behind, and never touches the store again', async () => {
    const rig = new CoordinatorRig();
    const a = await leader(rig);
    const b = rig.start('b');
    void b.lead('jobs', { watchdogMs: 300 });
    void b.lead('mine', { watchdogMs: 300, onError: 'contend' });
    b.coordinator.observe('other');
    await rig.until('b has its part', () => b.isLeading('mine') && b.group('jobs')?.leader != null);
    expect(b.timers.waitingCount).toBeGreaterThan(0);
    await rig.settle(b.coordinator.close(), 10);
    expect(b.timers.waitingCount).toBe(0);
    const before = b.calls.length;
    await rig.runFor(5 * TTL_MS);
    expect(b.calls.length).toBe(before);
    await rig.settle(a.coordinator.close(), 10);
    expect(a.timers.waitingCount).toBe(0);
    expect(await rig.scheduler.step()).toBe(false);
  });

  it('one that never led anything touches nothing', async () => {
    const rig = new CoordinatorRig();
    const a = rig.start('a');
    await a.coordinator.close();
    expect(a.calls).toEqual([]);
    expect(a.timers.setCount).toBe(0);
  });

  it('ends with the expiry of its session when the store cannot be reached', async () => {
    const rig = new CoordinatorRig();
    const a = await leader(rig);
    await rig.runFor(TTL_MS);
    a.cutOff();
    const begunAtMs = rig.nowMs;
    await rig.settle(a.coordinator.close(), 2 * TTL_MS);
    expect(a.work('jobs').isRunning).toBe(false);
    expect(rig.nowMs - begunAtMs).toBeGreaterThan(0);
    expect(a.timers.waitingCount).toBe(0);
    await rig.runFor(TTL_MS);
    expect(rig.holderOf('jobs')).toBeNull();
  });

  it('T3: ends for good when trust passes just before the session is closed: no other session follows', async () => {
    const rig = new CoordinatorRig();
    const a = rig.start('a');
    const result = a.lead('jobs');
    await rig.until('it leads', () => a.isLeading('jobs'));
    // Who awaited the work keeps the event loop busy, or the wall clock is set, after the last group has ended.
    void result.then(() => a.clock.jump(TTL_MS));
    await rig.settle(a.coordinator.close(), TTL_MS);
    expect(a.coordinator.status().session).toMatchObject({ state: 'closed', reason: 'closed' });
    expect(a.callsOf('openSession').length).toBe(1);
    expect(rig.database.members(rig.storeNow)).toEqual([]);
    expect(a.timers.waitingCount).toBe(0);
  });

  it('repeats a `closeSession` whose reply was lost', async () => {
    const rig = new CoordinatorRig();
    const a = await leader(rig);
    let lostCount = 0;
    a.fate = (operation) => {
      if (operation !== 'closeSession' || lostCount === 2) return SMOOTH;
      lostCount += 1;
      return lostCount === 1 ? REQUEST_LOST : REPLY_LOST;
    };
    await rig.settle(a.coordinator.close(), TTL_MS);
    expect(a.callsOf('closeSession').length).toBe(3);
    expect(rig.database.members(rig.storeNow)).toEqual([]);
  });

  it('while it opens its session: ends at once, and the session that may yet be opened expires', async () => {
    const rig = new CoordinatorRig();
    const a = rig.start('a');
    const result = a.lead('jobs');
    await rig.until('a session is asked for', () => a.callsOf('openSession').length > 0);
    await rig.settle(a.coordinator.close(), 0);
    expect(await result).toEqual({ reason: 'closed' });
    expect(a.timers.waitingCount).toBe(0);
    await rig.runFor(2 * TTL_MS);
    expect(rig.database.members(rig.storeNow)).toEqual([]);
    expect(a.work('jobs').runs).toEqual([]);
  });

  it('W1: ends its watch for hints', async () => {
    const rig = new CoordinatorRig();
    let endCount = 0;
    const end = (): Promise<void> => {
      endCount += 1;
      return Promise.resolve();
    };
    const a = rig.start('a', { wrap: (store) => ({ ...store, watch: () => Promise.resolve({ [Symbol.asyncDispose]: end }) }) });
    void a.lead('jobs');
    await rig.until('it leads', () => a.isLeading('jobs'));
    expect(endCount).toBe(0);
    await rig.settle(a.coordinator.close(), 10);
    expect(endCount).toBe(1);
  });

  it('closes the store that it made itself, last', async () => {
    const rig = new CoordinatorRig();
    const a = rig.start('a', { ownsStore: true });
    void a.lead('jobs');
    await rig.until('it leads', () => a.isLeading('jobs'));
    await rig.settle(a.coordinator.close(), 10);
    expect(a.calls.slice(-2).map((call) => call.operation)).toEqual(['closeSession', 'close']);
  });

  it('leaves a store alone that it was given', async () => {
    const rig = new CoordinatorRig();
    const a = await leader(rig);
    await rig.settle(a.coordinator.close(), 10);
    const reading = a.coordinator.store.read(['jobs']);
    expect(await rig.settle(reading, 10)).toMatchObject([{ groupId: 'jobs', term: 1, holder: null }]);
  });
});

describe('a closed coordinator', () => {
  it('refuses to lead, to observe and to ask for the members, with a stable code', async () => {
    const rig = new CoordinatorRig();
    const { coordinator, calls } = rig.start('a');
    await coordinator.close();
    const closed = { name: 'WbError', code: 'COORDINATOR_CLOSED', isRetryable: false };
    await expect(coordinator.lead('jobs', () => undefined)).rejects.toMatchObject(closed);
    await expect(coordinator.members()).rejects.toMatchObject(closed);
    expect(() => coordinator.observe('jobs')).toThrow(expect.objectContaining(closed));
    expect(calls).toEqual([]);
  });

  it('refuses already while it is closing', async () => {
    const rig = new CoordinatorRig();
    const a = await leader(rig, true);
    const closing = a.coordinator.close();
    await expect(a.coordinator.lead('more', () => undefined)).rejects.toMatchObject({ code: 'COORDINATOR_CLOSED' });
    a.work('jobs').run.end();
    await rig.settle(closing, 10);
  });

  it('still tells its status, resigns from nothing, and ends its events', async () => {
    const rig = new CoordinatorRig();
    const a = await leader(rig);
    const events = a.coordinator.events();
    await rig.settle(a.coordinator.close(), 10);
    expect(a.coordinator.status()).toMatchObject({ memberId: 'a', session: { state: 'closed', trustedForMs: 0 }, groups: [] });
    expect(await a.coordinator.resign('jobs')).toBe(false);
    const seen: string[] = [];
    for await (const event of events)
      seen.push(event.kind === 'group' || event.kind === 'session' ? `${event.kind} ${event.to}` : event.kind);
    expect(seen).toEqual(['group yielding', 'group closed', 'session closing', 'session closed']);
    expect(await a.coordinator.events().next()).toEqual({ value: undefined, done: true });
  });
});
