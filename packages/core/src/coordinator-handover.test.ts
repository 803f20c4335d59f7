import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  CoordinatorRig,
  HEARTBEAT_MS,
  type NodeOptions,
  REPLY_LOST,
  type RigNode,
  SMOOTH,
  TTL_MS,
} from '../test-support/coordinator-rig.js';
import type { LeadOptions } from './coordinator-types.js';
import type { LeaseStore } from './lease-store.js';

/** `a` leads, `b` stands by. */
async function pair(
  rig: CoordinatorRig,
  options: LeadOptions = {},
  isDeaf: boolean = false,
  node: NodeOptions = {},
): Promise<[RigNode, RigNode]> {
  const [a, b] = [rig.start('a', node), rig.start('b', node)];
  void a.lead('jobs', options, isDeaf);
  await rig.until('a leads', () => a.isLeading('jobs'));
  void b.lead('jobs');
  await rig.until('b stands by', () => b.group('jobs')?.leader != null);
  return [a, b];
}

describe('a graceful hand-over', () => {
  it('T7: never overlaps: the other one works only after the work here has settled', async () => {
    const rig = new CoordinatorRig();
    const [a, b] = await pair(rig, {}, true);
    const { run } = a.work('jobs');
    const resigned = a.coordinator.resign('jobs');
    expect(run.context.signal.reason).toMatchObject({ reason: 'resigned' });
    await rig.runFor(3 * TTL_MS, () => {
      expect(b.work('jobs').runs).toEqual([]);
      expect(rig.holderOf('jobs')).toBe(a.sessionId);
    });
    run.end();
    const settledAtMs = rig.nowMs;
    expect(await rig.settle(resigned, 10)).toBe(true);
    expect(a.callsOf('release')[0]!.atMs).toBeGreaterThanOrEqual(settledAtMs);
    await rig.until('b leads', () => b.isLeading('jobs'), HEARTBEAT_MS + 10);
    expect(b.work('jobs').run.startedAtMs).toBeGreaterThanOrEqual(settledAtMs);
    expect(b.work('jobs').run.context.term).toBe(2);
  });

  it('T7: the lease is trusted while the work settles, so that it can finish what it does', async () => {
    const rig = new CoordinatorRig();
    const [a] = await pair(rig, {}, true);
    const { run } = a.work('jobs');
    const resigned = a.coordinator.resign('jobs');
    await rig.runFor(2 * TTL_MS, () => expect(run.context.lease.isHeld()).toBe(true));
    await rig.settle(run.context.lease.ensure(850), 10);
    run.end();
    await rig.settle(resigned, 10);
    expect(run.context.lease.isHeld()).toBe(false);
  });

  it('W1: takes milliseconds where the store can push', async () => {
    const rig = new CoordinatorRig();
    const [a, b] = await pair(rig, {}, false, { isDirect: true });
    await rig.runFor(HEARTBEAT_MS / 2);
    const resignedAtMs = rig.nowMs;
    const resigned = a.coordinator.resign('jobs');
    await rig.until('b leads', () => b.isLeading('jobs'));
    expect(rig.nowMs - resignedAtMs).toBeLessThan(10);
    expect(await resigned).toBe(true);
  });

  it('lets the others go first for two heartbeats', async () => {
    const rig = new CoordinatorRig();
    const [a, b] = await pair(rig);
    await rig.settle(a.coordinator.resign('jobs'), 10);
    await rig.until('b leads', () => b.isLeading('jobs'), HEARTBEAT_MS + 10);
    await rig.until('a stands by', () => a.group('jobs')?.leader?.memberId === 'b', 2 * HEARTBEAT_MS + 10);
    expect(a.work('jobs').runs.length).toBe(1);
    await rig.settle(b.coordinator.resign('jobs'), 10);
    await rig.until('a leads again', () => a.isLeading('jobs'), HEARTBEAT_MS + 10);
  });

  it('leads again when there is nobody else', async () => {
    const rig = new CoordinatorRig();
    const a = rig.start('a');
    void a.lead('jobs');
    await rig.until('a leads', () => a.isLeading('jobs'));
    const resignedAtMs = rig.nowMs;
    expect(await rig.settle(a.coordinator.resign('jobs'), 10)).toBe(true);
    await rig.until('a leads again', () => a.isLeading('jobs'), 2 * HEARTBEAT_MS + 20);
    expect(a.work('jobs').run.startedAtMs - resignedAtMs).toBeGreaterThanOrEqual(2 * HEARTBEAT_MS);
  });

  it('there is none of a group that this member does not lead', async () => {
    const rig = new CoordinatorRig();
    const [, b] = await pair(rig);
    expect(await b.coordinator.resign('jobs')).toBe(false);
    expect(await b.coordinator.resign('another')).toBe(false);
    await rig.runFor(TTL_MS);
    expect(b.callsOf('release')).toEqual([]);
    await expect(b.coordinator.resign('')).rejects.toMatchObject({ code: 'INVALID_NAME', field: 'groupId' });
  });

  it('R1: a leader that is asked from elsewhere hands over with its next heartbeat, as if it had resigned itself', async () => {
    const rig = new CoordinatorRig();
    const [a, b] = await pair(rig);
    const asked = b.coordinator.requestResign('jobs');
    expect(await rig.settle(asked, 10)).toBe(true);
    await rig.until('b leads', () => b.isLeading('jobs'), 2 * HEARTBEAT_MS + 20);
    expect(a.work('jobs').run.context.signal.reason).toMatchObject({ reason: 'resigned' });
    const [latest, before] = await rig.settle(b.coordinator.history('jobs'), 10);
    expect(latest).toMatchObject({ term: 2, memberId: 'b', endedAgoMs: null, endReason: null });
    expect(before).toMatchObject({ term: 1, memberId: 'a', endReason: 'resigned' });
    expect(before!.endedAgoMs).toBeLessThanOrEqual(before!.beganAgoMs);
    await rig.runFor(5 * TTL_MS, () => expect(b.isLeading('jobs')).toBe(true));
  });

  it('R1, W1: it takes milliseconds where the store can push, also when the leader asks itself', async () => {
    const rig = new CoordinatorRig();
    const [a, b] = await pair(rig, {}, false, { isDirect: true });
    const askedAtMs = rig.nowMs;
    expect(await a.coordinator.requestResign('jobs')).toBe(true);
    await rig.until('b leads', () => b.isLeading('jobs'), 20);
    expect(rig.nowMs - askedAtMs).toBeLessThan(20);
  });

  it('R1: only the group that was asked for is handed over', async () => {
    const rig = new CoordinatorRig();
    const [a, b] = await pair(rig);
    void a.lead('kept');
    await rig.until('a leads both', () => a.isLeading('kept'));
    await rig.settle(b.coordinator.requestResign('jobs'), 10);
    await rig.until('b leads', () => b.isLeading('jobs'));
    expect(a.isLeading('kept')).toBe(true);
    expect(a.work('kept').runs).toHaveLength(1);
  });

  it('R3: it is asked once, however often somebody asks, and the next term is not concerned', async () => {
    const rig = new CoordinatorRig();
    const a = rig.start('a');
    void a.lead('jobs');
    await rig.until('a leads', () => a.isLeading('jobs'));
    await rig.settle(Promise.all([1, 2, 3].map(() => a.coordinator.requestResign('jobs'))), 20);
    await rig.until('a leads again, as nobody else does', () => a.work('jobs').runs.length === 2 && a.isLeading('jobs'));
    await rig.runFor(5 * TTL_MS, () => expect(a.work('jobs').runs).toHaveLength(2));
  });

  it('R2: nobody is asked where nobody leads; bad names and limits are refused at the door', async () => {
    const rig = new CoordinatorRig();
    const a = rig.start('a');
    expect(await rig.settle(a.coordinator.requestResign('jobs'), 20)).toBe(false);
    expect(await rig.settle(a.coordinator.history('jobs'), 20)).toEqual([]);
    await expect(a.coordinator.requestResign('')).rejects.toMatchObject({ code: 'INVALID_NAME', field: 'groupId' });
    for (const limit of [0, 101, 1.5]) {
      await expect(a.coordinator.history('jobs', limit)).rejects.toMatchObject({ code: 'INVALID_OPTION', field: 'limit' });
    }
  });

  it('R1, H1: a store that cannot says so', async () => {
    const rig = new CoordinatorRig();
    const a = rig.start('a', {
      wrap: (store) => {
        const bare: LeaseStore = { ...store, capabilities: { ...store.capabilities, history: false, resignRequests: false } };
        delete bare.requestResign;
        delete bare.history;
        return bare;
      },
    });
    await expect(a.coordinator.requestResign('jobs')).rejects.toMatchObject({
      code: 'NOT_SUPPORTED',
      message: expect.stringContaining('resignRequests') as string,
    });
    await expect(a.coordinator.history('jobs')).rejects.toMatchObject({ code: 'NOT_SUPPORTED' });
  });

  it('two resignations at once are one', async () => {
    const rig = new CoordinatorRig();
    const [a] = await pair(rig, {}, true);
    const first = a.coordinator.resign('jobs');
    const second = a.coordinator.resign('jobs');
    a.work('jobs').run.end();
    expect(await rig.settle(Promise.all([first, second]), 10)).toContain(true);
    expect(a.callsOf('release').length).toBe(1);
  });

  it('the trap of the late release: a release of unknown outcome is repeated until it is definite, and only then is the group claimed again', async () => {
    const rig = new CoordinatorRig();
    const [a, b] = await pair(rig, { onEnd: 'contend', backOff: { minMs: 0 } });
    b.kill();
    await rig.runFor(2 * TTL_MS);
    let lateCount = 0;
    // The first release arrives long after its sender gave up.
    a.fate = (operation) => {
      if (operation !== 'release' || lateCount > 0) return SMOOTH;
      lateCount += 1;
      return { deliverAfterMs: [2 * TTL_MS], replyAfterMs: 1 };
    };
    a.work('jobs').run.end();
    await rig.until('a leads again', () => a.work('jobs').runs.length === 2 && a.isLeading('jobs'), TTL_MS);
    const { run } = a.work('jobs');
    expect(run.context.term).toBe(2);
    expect(a.callsOf('release').length).toBe(2);
    await rig.runFor(4 * TTL_MS, () => {
      expect(rig.holderOf('jobs')).toBe(run.context.lease.sessionId);
      expect(run.context.lease.isHeld()).toBe(true);
    });
  });

  it('a release whose reply was lost is repeated, and frees the group once', async () => {
    const rig = new CoordinatorRig();
    const [a, b] = await pair(rig);
    let lostCount = 0;
    a.fate = (operation) => {
      if (operation !== 'release' || lostCount > 0) return SMOOTH;
      lostCount += 1;
      return REPLY_LOST;
    };
    const resigned = a.coordinator.resign('jobs');
    await rig.until('b leads', () => b.isLeading('jobs'), HEARTBEAT_MS + 10);
    expect(await rig.settle(resigned, TTL_MS)).toBe(true);
    await rig.runFor(2 * TTL_MS, () => expect(b.isLeading('jobs')).toBe(true));
    expect(b.work('jobs').run.context.term).toBe(2);
  });
});

describe('work that does not stop', () => {
  const settleDeadlineMs = 500;

  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('T7: is reported once as an overrun, and its lease is not released while the session lives', async () => {
    const rig = new CoordinatorRig();
    const [a, b] = await pair(rig, { settleDeadlineMs }, true);
    const resigned = a.coordinator.resign('jobs');
    const resignedAtMs = rig.nowMs;
    await rig.until('the overrun is reported', () => a.events.some((event) => event.kind === 'overrun'), 2 * settleDeadlineMs);
    expect(rig.nowMs - resignedAtMs).toBeGreaterThanOrEqual(settleDeadlineMs);
    await rig.runFor(20 * TTL_MS, () => {
      expect(rig.holderOf('jobs')).toBe(a.sessionId);
      expect(b.work('jobs').runs).toEqual([]);
    });
    expect(a.events.filter((event) => event.kind === 'overrun')).toEqual([
      { kind: 'overrun', groupId: 'jobs', term: 1, reason: 'resigned', settleDeadlineMs },
    ]);
    expect(a.callsOf('release')).toEqual([]);
    a.work('jobs').run.end();
    expect(await rig.settle(resigned, 10)).toBe(true);
    await rig.until('b leads', () => b.isLeading('jobs'), HEARTBEAT_MS + 10);
  });

  it('T7: that settles in time is no overrun', async () => {
    const rig = new CoordinatorRig();
    const [a] = await pair(rig, { settleDeadlineMs }, true);
    const resigned = a.coordinator.resign('jobs');
    await rig.runFor(settleDeadlineMs - 1);
    a.work('jobs').run.end();
    await rig.settle(resigned, 10);
    await rig.runFor(5 * TTL_MS);
    expect(a.events.filter((event) => event.kind === 'overrun')).toEqual([]);
  });

  it("T7: with `onOverrun: 'exit'` the process ends with code 70, after the event", async () => {
    const rig = new CoordinatorRig();
    const exit = vi.spyOn(process, 'exit').mockImplementation((() => undefined) as unknown as typeof process.exit);
    const [a] = await pair(rig, { settleDeadlineMs, onOverrun: 'exit' }, true);
    void a.coordinator.resign('jobs');
    await rig.runFor(settleDeadlineMs - 1);
    expect(exit).not.toHaveBeenCalled();
    await rig.runFor(10);
    expect(exit).toHaveBeenCalledExactlyOnceWith(70);
    expect(a.events.filter((event) => event.kind === 'overrun').length).toBe(1);
  });

  it("T7: with `onOverrun: 'report'` the process goes on", async () => {
    const rig = new CoordinatorRig();
    const exit = vi.spyOn(process, 'exit').mockImplementation((() => undefined) as unknown as typeof process.exit);
    const [a] = await pair(rig, { settleDeadlineMs }, true);
    void a.coordinator.resign('jobs');
    await rig.runFor(10 * settleDeadlineMs);
    expect(exit).not.toHaveBeenCalled();
    expect(a.events.filter((event) => event.kind === 'overrun').length).toBe(1);
  });

  it('T7, F9: after its trust ended: this member does not work a second time beside it, though others may', async () => {
    const rig = new CoordinatorRig();
    const [a, b] = await pair(rig, { settleDeadlineMs }, true);
    const { run } = a.work('jobs');
    a.cutOff();
    await rig.until('b leads', () => b.isLeading('jobs'), 2 * TTL_MS);
    expect(run.context.signal.reason).toMatchObject({ reason: 'lost-trust' });
    expect(run.context.lease.isHeld()).toBe(false);
    a.reconnect();
    b.kill();
    await rig.runFor(5 * TTL_MS, () => expect(a.work('jobs').runs.length).toBe(1));
    expect(a.group('jobs')?.state).toBe('yielding');
    run.end();
    await rig.until('a leads again', () => a.isLeading('jobs'), HEARTBEAT_MS);
  });
});
