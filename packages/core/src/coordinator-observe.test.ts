import { describe, expect, it } from 'vitest';
import { CoordinatorRig, HEARTBEAT_MS, type RigNode, TTL_MS } from '../test-support/coordinator-rig.js';
import type { Observation } from './coordinator-types.js';
import type { CoordinatorEvent } from './events.js';

async function leader(rig: CoordinatorRig, memberId: string): Promise<RigNode> {
  const node = rig.start(memberId);
  void node.lead('jobs');
  await rig.until('it leads', () => node.isLeading('jobs'));
  return node;
}

function names(observations: readonly Observation[]): string[] {
  return observations.map(({ leader: by, term }) => `${by?.memberId ?? 'nobody'} ${term}`);
}

describe('members', () => {
  it('F18: are the live sessions, the oldest first, with what they hold and wait for', async () => {
    const rig = new CoordinatorRig();
    const a = rig.start('a', { metadata: { host: 'north' } });
    void a.lead('jobs');
    await rig.until('a leads', () => a.isLeading('jobs'));
    const b = rig.start('b');
    void b.lead('jobs');
    void b.lead('mail');
    await rig.runFor(10);
    const members = await rig.settle(b.coordinator.members(), 10);
    expect(members).toMatchObject([
      { memberId: 'a', sessionId: a.sessionId, ttlMs: TTL_MS, leaseCount: 1, contendCount: 1, metadata: { host: 'north' } },
      { memberId: 'b', sessionId: b.sessionId, ttlMs: TTL_MS, leaseCount: 1, contendCount: 2, metadata: {} },
    ]);
    for (const { remainingMs } of members) {
      expect(remainingMs).toBeGreaterThan(TTL_MS - HEARTBEAT_MS - 10);
      expect(remainingMs).toBeLessThanOrEqual(TTL_MS);
    }
    a.kill();
    await rig.runFor(TTL_MS);
    expect(await rig.settle(b.coordinator.members(), 10)).toMatchObject([{ memberId: 'b' }]);
  });

  it('can be asked for by one that takes no part: it opens no session', async () => {
    const rig = new CoordinatorRig();
    await leader(rig, 'a');
    const looker = rig.start('looker');
    expect(await rig.settle(looker.coordinator.members(), 10)).toMatchObject([{ memberId: 'a' }]);
    expect(looker.calls.map((call) => call.operation)).toEqual(['migrate', 'members']);
  });

  it('T5: rejects at the deadline when the store does not answer', async () => {
    const rig = new CoordinatorRig();
    const looker = rig.start('looker');
    looker.cutOff();
    await expect(rig.settle(looker.coordinator.members(), 360)).rejects.toMatchObject({ code: 'STORE_TIMEOUT', isRetryable: true });
  });
});

describe('observing a group', () => {
  it('F18: tells every change of its leader, in order, to one that takes no part', async () => {
    const rig = new CoordinatorRig();
    const looker = rig.start('looker');
    const seen: Observation[] = [];
    const observer = looker.coordinator.observe('jobs');
    expect(observer.current).toBeUndefined();
    const reading = (async (): Promise<void> => {
      for await (const observation of observer) seen.push(observation);
    })();
    await rig.runFor(2 * HEARTBEAT_MS);
    const a = await leader(rig, 'a');
    await rig.runFor(2 * HEARTBEAT_MS);
    const b = rig.start('b');
    void b.lead('jobs');
    await rig.runFor(HEARTBEAT_MS);
    a.kill();
    await rig.runFor(2 * TTL_MS);
    b.kill();
    await rig.runFor(2 * TTL_MS);
    expect(names(seen)).toEqual(['nobody 0', 'a 1', 'b 2', 'nobody 2']);
    expect(seen[1]).toEqual({ groupId: 'jobs', leader: { memberId: 'a', sessionId: expect.any(String), term: 1 }, term: 1 });
    expect(observer.current).toEqual(seen.at(-1));
    observer.close();
    await reading;
    expect(looker.callsOf('openSession')).toEqual([]);
  });

  it('makes one store call per heartbeat for all observed groups and observers together', async () => {
    const rig = new CoordinatorRig();
    const looker = rig.start('looker');
    for (let index = 0; index < 100; index += 1) looker.coordinator.observe(`group-${index % 50}`);
    await rig.runFor(10 * HEARTBEAT_MS + 50);
    const reads = looker.callsOf('read');
    expect(reads.length).toBeGreaterThanOrEqual(10);
    expect(reads.length).toBeLessThanOrEqual(11);
    expect((reads.at(-1)!.args[0] as readonly string[]).length).toBe(50);
    expect(looker.calls.filter(({ operation }) => operation !== 'read').map(({ operation }) => operation)).toEqual(['migrate']);
  });

  it('W1: a hint makes it immediate where the store can push', async () => {
    const rig = new CoordinatorRig();
    const looker = rig.start('looker', { isDirect: true });
    const observer = looker.coordinator.observe('jobs');
    await rig.runFor(HEARTBEAT_MS / 4);
    const a = rig.start('a', { isDirect: true });
    void a.lead('jobs');
    await rig.until('a leads', () => a.isLeading('jobs'));
    const sinceMs = rig.nowMs;
    await rig.until('it is seen', () => observer.current?.leader != null);
    expect(rig.nowMs - sinceMs).toBeLessThan(5);
  });

  it('goes on after the store was away', async () => {
    const rig = new CoordinatorRig();
    const looker = rig.start('looker');
    const observer = looker.coordinator.observe('jobs');
    await rig.until('it has looked', () => observer.current !== undefined);
    looker.cutOff();
    await rig.runFor(3 * TTL_MS);
    expect(looker.events.filter((event) => event.kind === 'store-fault').length).toBeGreaterThan(0);
    const a = await leader(rig, 'a');
    looker.reconnect();
    await rig.until('it sees a', () => observer.current?.leader?.sessionId === a.sessionId, 3 * HEARTBEAT_MS);
    expect(looker.events.at(-1)).toMatchObject({ kind: 'store-recovered', operation: 'read' });
  });

  it('T11: a reader that comes late begins with the last observation, and one that is slow misses none', async () => {
    const rig = new CoordinatorRig();
    const looker = rig.start('looker');
    const observer = looker.coordinator.observe('jobs');
    await leader(rig, 'a');
    await rig.runFor(HEARTBEAT_MS + 20);
    const reader = observer[Symbol.asyncIterator]();
    for (const memberId of ['b', 'c']) {
      const last = rig.nodes.at(-1)!;
      void last.coordinator.close();
      await rig.runFor(HEARTBEAT_MS + 10);
      await leader(rig, memberId);
      await rig.runFor(HEARTBEAT_MS + 10);
    }
    const seen: Observation[] = [];
    for (let index = 0; index < 5; index += 1) seen.push((await reader.next()).value as Observation);
    expect(names(seen)).toEqual(['a 1', 'nobody 1', 'b 2', 'nobody 2', 'c 3']);
  });

  it('ends when it is disposed or its loop is left, and no more calls are made then', async () => {
    const rig = new CoordinatorRig();
    const looker = rig.start('looker');
    {
      using observer = looker.coordinator.observe('jobs');
      await rig.until('it has looked', () => observer.current !== undefined);
    }
    const left = (async (): Promise<number> => {
      let count = 0;
      for await (const _ of looker.coordinator.observe('jobs')) {
        count += 1;
        break;
      }
      return count;
    })();
    expect(await rig.settle(left, 10)).toBe(1);
    await rig.runFor(1);
    const before = looker.calls.length;
    expect(looker.timers.waitingCount).toBe(0);
    await rig.runFor(5 * TTL_MS);
    expect(looker.calls.length).toBe(before);
  });

  it('ends with the coordinator', async () => {
    const rig = new CoordinatorRig();
    const looker = rig.start('looker');
    const reader = looker.coordinator.observe('jobs')[Symbol.asyncIterator]();
    const waiting = [reader.next(), reader.next()];
    await rig.runFor(10);
    await looker.coordinator.close();
    expect((await Promise.all(waiting)).map((result) => result.done)).toEqual([false, true]);
  });
});

describe('status', () => {
  it('F18: tells who leads, in what state and why, from memory', async () => {
    const rig = new CoordinatorRig();
    const a = await leader(rig, 'a');
    const b = rig.start('b');
    expect(b.coordinator.status()).toEqual({
      memberId: 'b',
      session: { state: 'none', reason: null, sessionId: null, trustedForMs: 0 },
      storeFault: null,
      groups: [],
    });
    void b.lead('jobs');
    expect(b.coordinator.status().session).toMatchObject({ state: 'joining', reason: 'started', sessionId: null });
    await rig.until('b stands by', () => b.group('jobs')?.leader != null);
    const before = b.calls.length;
    const status = b.coordinator.status();
    expect(status.session).toMatchObject({ state: 'live', reason: 'opened' });
    expect(status.session.trustedForMs).toBeGreaterThan(800);
    expect(status.groups).toEqual([
      { groupId: 'jobs', state: 'standby', reason: 'held', leader: { memberId: 'a', sessionId: a.sessionId, term: 1 }, runCount: 0 },
    ]);
    expect(a.coordinator.status().groups).toEqual([
      { groupId: 'jobs', state: 'leading', reason: 'elected', leader: { memberId: 'a', sessionId: a.sessionId, term: 1 }, runCount: 1 },
    ]);
    expect(b.calls.length).toBe(before);
  });
});

describe('events', () => {
  it('T11: each change of a group begins where the one before it ended, with its reason and term', async () => {
    const rig = new CoordinatorRig();
    const a = await leader(rig, 'a');
    await rig.settle(a.coordinator.resign('jobs'), 10);
    await rig.until('a leads again', () => a.isLeading('jobs'));
    a.work('jobs').run.end();
    await rig.runFor(10);
    expect(a.events.filter((event) => event.kind === 'group')).toEqual([
      { kind: 'group', groupId: 'jobs', from: 'standby', to: 'claiming', reason: 'started', term: null },
      { kind: 'group', groupId: 'jobs', from: 'claiming', to: 'leading', reason: 'elected', term: 1 },
      { kind: 'group', groupId: 'jobs', from: 'leading', to: 'yielding', reason: 'resigned', term: 1 },
      { kind: 'group', groupId: 'jobs', from: 'yielding', to: 'standby', reason: 'resigned', term: 1 },
      { kind: 'group', groupId: 'jobs', from: 'standby', to: 'claiming', reason: 'resigned', term: null },
      { kind: 'group', groupId: 'jobs', from: 'claiming', to: 'leading', reason: 'elected', term: 2 },
      { kind: 'group', groupId: 'jobs', from: 'leading', to: 'yielding', reason: 'work-ended', term: 2 },
      { kind: 'group', groupId: 'jobs', from: 'yielding', to: 'closed', reason: 'work-ended', term: 2 },
    ]);
  });

  it('T11: an iterator that nobody reads for long misses none, and delays nothing', async () => {
    const rig = new CoordinatorRig();
    const a = rig.start('a');
    const iterator = a.coordinator.events();
    void a.lead('jobs', { onEnd: 'contend', backOff: { minMs: 0 } });
    for (let round = 1; round <= 25; round += 1) {
      await rig.until('it leads', () => a.work('jobs').runs.length === round && a.isLeading('jobs'), 10);
      a.work('jobs').run.end();
    }
    await rig.settle(a.coordinator.close(), 10);
    const seen: CoordinatorEvent[] = [];
    for await (const event of iterator) seen.push(event);
    expect(seen.length).toBeGreaterThan(100);
    expect(seen).toEqual(a.events);
  });

  it('T11: a listener is never called from inside the machine: it sees a status that is settled, and may call back', async () => {
    const rig = new CoordinatorRig();
    const a = rig.start('a');
    const states: string[] = [];
    let isInside = false;
    a.coordinator.on('group', (event) => {
      expect(isInside).toBe(false);
      states.push(`${event.to} ${a.group('jobs')?.state ?? 'none'}`);
      if (event.to === 'leading') void a.coordinator.close();
    });
    isInside = true;
    void a.lead('jobs');
    isInside = false;
    await rig.until('it is closed', () => a.coordinator.status().session.state === 'closed');
    expect(states).toEqual(['claiming claiming', 'leading leading', 'yielding yielding', 'closed none']);
    expect(a.work('jobs').runs).toEqual([]);
  });

  it('a listener that was taken off hears no more, and one kind is not another', async () => {
    const rig = new CoordinatorRig();
    const a = rig.start('a');
    const heard: string[] = [];
    const off = a.coordinator.on('group', (event) => heard.push(event.to));
    a.coordinator.on('overrun', () => heard.push('overrun'));
    void a.lead('jobs');
    await rig.until('it leads', () => a.isLeading('jobs'));
    expect(heard).toEqual(['claiming', 'leading']);
    off();
    off();
    await rig.settle(a.coordinator.close(), 10);
    expect(heard).toEqual(['claiming', 'leading']);
  });
});
