import { describe, expect, it } from 'vitest';
import { CoordinatorRig, HEARTBEAT_MS, type RigNode, SMOOTH, TTL_MS } from '../test-support/coordinator-rig.js';

/** Starts members that lead the same group, and waits until one of them works. */
async function leaders(rig: CoordinatorRig, ...memberIds: string[]): Promise<RigNode[]> {
  const nodes = memberIds.map((memberId) => rig.start(memberId));
  for (const node of nodes) {
    void node.lead('jobs');
    await rig.until(`${node.memberId} knows its part`, () => node.group('jobs')?.leader != null);
  }
  return nodes;
}

describe('leading a group', () => {
  it('F1, F2: of several members that start at once exactly one works, and everyone else stays a candidate', async () => {
    const rig = new CoordinatorRig();
    const nodes = ['a', 'b', 'c', 'd'].map((memberId) => rig.start(memberId));
    for (const node of nodes) void node.lead('jobs');
    const working = (): RigNode[] => nodes.filter((node) => node.work('jobs').isRunning);
    let mostAtOnce = 0;
    await rig.runFor(3 * TTL_MS, () => {
      mostAtOnce = Math.max(mostAtOnce, working().length);
    });
    expect(mostAtOnce).toBe(1);
    // Each in turn, as the ones before it die.
    const took: RigNode[] = [];
    for (let left = nodes.length; left > 0; left -= 1) {
      const [leader] = working();
      took.push(leader!);
      for (const node of nodes) {
        if (took.includes(node)) continue;
        expect(node.group('jobs')).toMatchObject({ state: 'standby', leader: { memberId: leader!.memberId }, runCount: 0 });
      }
      leader!.kill();
      leader!.work('jobs').run.end();
      if (left > 1) await rig.until('another leads', () => working().length > 0, 2 * TTL_MS);
      await rig.runFor(TTL_MS, () => expect(working().length).toBeLessThanOrEqual(1));
    }
    expect(new Set(took).size).toBe(4);
    expect(took.map((node) => node.work('jobs').run.context.term)).toEqual([1, 2, 3, 4]);
  });

  it('F3: a deposed leader contends again, and leads again when its successor dies', async () => {
    const rig = new CoordinatorRig();
    const [a, b] = (await leaders(rig, 'a', 'b')) as [RigNode, RigNode];
    const firstRun = a.work('jobs').run;
    a.clock.pause();
    await rig.until('b leads', () => b.isLeading('jobs'), 2 * TTL_MS);
    a.clock.resume();
    await rig.until('a stands by', () => a.group('jobs')?.state === 'standby' && a.group('jobs')?.leader != null, TTL_MS);
    expect(firstRun.isSettled).toBe(true);
    expect(a.group('jobs')).toMatchObject({ leader: { memberId: 'b', term: 2 } });
    b.kill();
    await rig.until('a leads again', () => a.isLeading('jobs'), 2 * TTL_MS);
    const { context } = a.work('jobs').run;
    expect(context.term).toBe(3);
    expect(context.lease.sessionId).not.toBe(firstRun.context.lease.sessionId);
    expect(a.history('jobs')).toEqual([
      'standby→claiming (started)',
      'claiming→leading (elected)',
      'leading→yielding (lost-trust)',
      'yielding→standby (lost-trust)',
      'standby→claiming (rejoined)',
      'claiming→standby (held)',
      'standby→claiming (expired)',
      'claiming→leading (elected)',
    ]);
  });

  it('F5: standing by is no run: only work that was started counts', async () => {
    const rig = new CoordinatorRig();
    const [a, b] = (await leaders(rig, 'a', 'b')) as [RigNode, RigNode];
    await rig.runFor(30 * TTL_MS);
    expect(a.group('jobs')?.runCount).toBe(1);
    expect(b.group('jobs')?.runCount).toBe(0);
    a.kill();
    await rig.until('b leads', () => b.isLeading('jobs'));
    expect(b.group('jobs')?.runCount).toBe(1);
  });

  it('F6, T1: members whose wall clocks are hours apart neither rob nor miss each other', async () => {
    const rig = new CoordinatorRig();
    const a = rig.start('a', { wallMs: 1_700_000_000_000 });
    const b = rig.start('b', { wallMs: 1_700_000_000_000 + 9 * 3_600_000 });
    void a.lead('jobs');
    await rig.until('a leads', () => a.isLeading('jobs'));
    void b.lead('jobs');
    await rig.runFor(20 * TTL_MS, () => expect(b.work('jobs').runs).toEqual([]));
    expect(a.isLeading('jobs')).toBe(true);
    a.kill();
    await rig.until('b leads', () => b.isLeading('jobs'), TTL_MS + HEARTBEAT_MS);
  });

  it('F8: a claim that was held up until its session had died is granted nothing', async () => {
    const rig = new CoordinatorRig();
    const a = rig.start('a');
    a.fate = (operation) =>
      operation === 'claim'
        ? { deliverAfterMs: [3 * TTL_MS], replyAfterMs: 1 }
        : operation === 'heartbeat'
          ? { deliverAfterMs: [], replyAfterMs: null }
          : SMOOTH;
    void a.lead('jobs');
    await rig.runFor(10);
    const b = rig.start('b');
    await rig.runFor(10);
    void b.lead('jobs');
    await rig.until('b leads', () => b.isLeading('jobs'), TTL_MS);
    await rig.runFor(10 * TTL_MS, () => expect(b.isLeading('jobs')).toBe(true));
    expect(a.work('jobs').runs).toEqual([]);
    expect(b.work('jobs').run.context.term).toBe(1);
  });

  it('T10, F15: a grant that was heard of after the session had lapsed is not worked under', async () => {
    const rig = new CoordinatorRig();
    const a = rig.start('a');
    a.fate = (operation) => (operation === 'claim' ? { deliverAfterMs: [1], replyAfterMs: 1 } : SMOOTH);
    void a.lead('jobs');
    await rig.until('the claim is granted in the store', () => rig.holderOf('jobs') !== null);
    a.clock.pause();
    await rig.runFor(2 * TTL_MS);
    a.clock.resume();
    await rig.until('a leads with a new session', () => a.isLeading('jobs'), TTL_MS);
    expect(a.work('jobs').runs.map((run) => run.context.term)).toEqual([2]);
    // Not even for an instant: the session is lost before the grant is looked at.
    expect(a.history('jobs')).toEqual([
      'standby→claiming (started)',
      'claiming→standby (lost-trust)',
      'standby→claiming (rejoined)',
      'claiming→leading (elected)',
    ]);
  });

  it('F15: work is not begun when the works of other groups have kept the process busy until the lease was over', async () => {
    const rig = new CoordinatorRig();
    const node = rig.start('a');
    const begun: string[] = [];
    const blocking = ({ groupId, signal }: { groupId: string; signal: AbortSignal }): Promise<void> => {
      begun.push(groupId);
      // The event loop stands still for longer than the session lives.
      if (begun.length === 1) node.clock.jump(TTL_MS);
      return new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve());
      });
    };
    void node.coordinator.lead('first', blocking);
    void node.coordinator.lead('second', blocking);
    await rig.until('both are claimed', () => begun.length > 0);
    expect(begun).toEqual(['first']);
    expect(node.group('second')?.runCount).toBe(0);
    await rig.until('both are led again', () => begun.length === 3, TTL_MS + HEARTBEAT_MS);
    expect(begun.slice(1).toSorted()).toEqual(['first', 'second']);
  });

  it('F10: two members of the same name are two sessions, and only one of them leads', async () => {
    const rig = new CoordinatorRig();
    const [first, second] = (await leaders(rig, 'twin', 'twin')) as [RigNode, RigNode];
    await rig.runFor(10 * TTL_MS, () => expect(second.work('jobs').runs).toEqual([]));
    expect(first.isLeading('jobs')).toBe(true);
    expect(second.group('jobs')?.leader).toEqual({ memberId: 'twin', sessionId: first.sessionId, term: 1 });
    expect(second.sessionId).not.toBe(first.sessionId);
    first.kill();
    await rig.until('the second leads', () => second.isLeading('jobs'), TTL_MS + HEARTBEAT_MS);
  });

  it('F13, T9: takeover comes with the expiry of the dead session, however long the job takes', async () => {
    const rig = new CoordinatorRig();
    const [a, b] = (await leaders(rig, 'a', 'b')) as [RigNode, RigNode];
    await rig.runFor(10 * TTL_MS);
    const expiresAt = (): number => rig.database.sessions.get(a.sessionId!)!.expiresAt;
    a.kill();
    await rig.until('b leads', () => b.isLeading('jobs'), TTL_MS + HEARTBEAT_MS);
    expect(b.work('jobs').run.startedAtMs).toBeGreaterThanOrEqual(expiresAt());
    expect(b.work('jobs').run.startedAtMs).toBeLessThan(expiresAt() + 10);
  });

  it('leads several groups with one session, and each group has its own term', async () => {
    const rig = new CoordinatorRig();
    const node = rig.start('a');
    void node.lead('first');
    void node.lead('second');
    await rig.until('both are led', () => node.isLeading('first') && node.isLeading('second'));
    const contexts = ['first', 'second'].map((groupId) => node.work(groupId).run.context);
    expect(contexts.map(({ groupId, term, memberId }) => ({ groupId, term, memberId }))).toEqual([
      { groupId: 'first', term: 1, memberId: 'a' },
      { groupId: 'second', term: 1, memberId: 'a' },
    ]);
    expect(node.callsOf('openSession').length).toBe(1);
    node.work('first').run.end();
    await rig.until('the first is over', () => node.group('first') === undefined);
    expect(contexts[1]!.lease.isHeld()).toBe(true);
    expect(contexts[0]!.lease.isHeld()).toBe(false);
  });

  it('refuses a group that this coordinator leads already, until that has ended', async () => {
    const rig = new CoordinatorRig();
    const node = rig.start('a');
    const first = node.lead('jobs');
    await expect(node.coordinator.lead('jobs', () => undefined)).rejects.toMatchObject({ name: 'WbError', code: 'GROUP_ALREADY_LED' });
    await rig.until('it leads', () => node.isLeading('jobs'));
    node.work('jobs').run.end('done');
    expect(await rig.settle(first)).toEqual({ reason: 'work-ended', term: 1, value: 'done' });
    expect(await rig.settle(node.coordinator.lead('jobs', ({ term }) => term))).toEqual({ reason: 'work-ended', term: 2, value: 2 });
  });
});
