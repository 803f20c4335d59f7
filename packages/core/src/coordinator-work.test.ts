import { describe, expect, it } from 'vitest';
import { CoordinatorRig, HEARTBEAT_MS, type RigNode, TTL_MS } from '../test-support/coordinator-rig.js';
import type { GroupEvent } from './events.js';
import { LeadershipEndedError } from './reasons.js';
import type { LeadOptions } from './coordinator-types.js';

const BACK_OFF = { minMs: 100, maxMs: 450, factor: 2 };

/** One member leads; another, if asked for, stands by. */
async function leader(rig: CoordinatorRig, options: LeadOptions = {}, isDeaf: boolean = false): Promise<[RigNode, Promise<unknown>]> {
  const node = rig.start('a');
  const result = node.lead('jobs', options, isDeaf);
  await rig.until('it leads', () => node.isLeading('jobs'));
  return [node, result];
}

async function standby(rig: CoordinatorRig): Promise<RigNode> {
  const node = rig.start('b');
  void node.lead('jobs');
  await rig.until('b stands by', () => node.group('jobs')?.leader != null);
  return node;
}

function yieldsOf(node: RigNode): GroupEvent[] {
  return node.events.filter((event): event is GroupEvent => event.kind === 'group' && event.to === 'yielding');
}

describe('work that ends', () => {
  it("F4: with `onEnd: 'stop'` gives the group up for good and resolves `lead` with its value", async () => {
    const rig = new CoordinatorRig();
    const [a, result] = await leader(rig);
    const b = await standby(rig);
    a.work('jobs').run.end({ invoices: 3 });
    expect(await rig.settle(result, 10)).toEqual({ reason: 'work-ended', term: 1, value: { invoices: 3 } });
    await rig.until('b leads', () => b.isLeading('jobs'), HEARTBEAT_MS + 10);
    expect(yieldsOf(a)).toMatchObject([{ reason: 'work-ended', term: 1 }]);
    expect(a.coordinator.status().groups).toEqual([]);
    b.kill();
    await rig.runFor(3 * TTL_MS);
    expect(a.work('jobs').runs.length).toBe(1);
  });

  it("F4: with `onEnd: 'contend'` releases the group and leads it again under a new term", async () => {
    const rig = new CoordinatorRig();
    const [a] = await leader(rig, { onEnd: 'contend', backOff: BACK_OFF });
    for (const term of [1, 2, 3]) {
      const { run } = a.work('jobs');
      expect(run.context.term).toBe(term);
      const endedAtMs = rig.nowMs;
      run.end();
      await rig.until('it is released', () => rig.holderOf('jobs') === null, 10);
      await rig.until('it leads again', () => a.isLeading('jobs'), 200);
      expect(a.work('jobs').run.startedAtMs - endedAtMs).toBeGreaterThanOrEqual(BACK_OFF.minMs);
    }
  });

  it("F4: with `onEnd: 'contend'` a standby gets its turn", async () => {
    const rig = new CoordinatorRig();
    const [a] = await leader(rig, { onEnd: 'contend', backOff: { minMs: 2 * HEARTBEAT_MS } });
    const b = await standby(rig);
    a.work('jobs').run.end();
    await rig.until('b leads', () => b.isLeading('jobs'), HEARTBEAT_MS + 10);
    await rig.until('a stands by', () => a.group('jobs')?.leader?.memberId === 'b', TTL_MS);
    expect(a.work('jobs').runs.length).toBe(1);
  });

  it('F4: that returns a value without a promise counts as well', async () => {
    const rig = new CoordinatorRig();
    const node = rig.start('a');
    expect(await rig.settle(node.coordinator.lead('jobs', () => 42))).toEqual({ reason: 'work-ended', term: 1, value: 42 });
    expect(rig.holderOf('jobs')).toBeNull();
  });
});

describe('work that throws', () => {
  it("F4: with `onError: 'contend'` gives the group up, shows the error in the event, and tries again", async () => {
    const rig = new CoordinatorRig();
    const [a] = await leader(rig, { backOff: { minMs: 2 * HEARTBEAT_MS } });
    const b = await standby(rig);
    const error = new Error('the printer is on fire');
    a.work('jobs').run.fail(error);
    await rig.until('b leads', () => b.isLeading('jobs'), HEARTBEAT_MS + 10);
    expect(yieldsOf(a)).toMatchObject([{ reason: 'work-failed', term: 1 }]);
    expect(yieldsOf(a)[0]!.error).toBe(error);
    b.kill();
    await rig.until('a leads again', () => a.isLeading('jobs'));
  });

  it('F4: waits longer after each failure in a row, up to the longest back-off', async () => {
    const rig = new CoordinatorRig();
    const [a] = await leader(rig, { backOff: BACK_OFF });
    const waits: number[] = [];
    for (let failure = 0; failure < 4; failure += 1) {
      const failedAtMs = rig.nowMs;
      a.work('jobs').run.fail(new Error('again'));
      await rig.until('it leads again', () => a.isLeading('jobs'), 600);
      waits.push(a.work('jobs').run.startedAtMs - failedAtMs);
    }
    const [first, second, third, fourth] = waits as [number, number, number, number];
    // Besides the back-off: a release and a claim.
    for (const [waitMs, backOffMs] of [
      // Two heartbeats at least: whoever is healthy comes first.
      [first, 400],
      [second, 400],
      [third, 400],
      [fourth, 450],
    ] as const) {
      expect(waitMs).toBeGreaterThanOrEqual(backOffMs);
      expect(waitMs).toBeLessThan(backOffMs + 10);
    }
  });

  it('F4: that throws before it returns a promise is no different', async () => {
    const rig = new CoordinatorRig();
    const node = rig.start('a');
    const error = new Error('no work today');
    const result = node.coordinator.lead(
      'jobs',
      () => {
        throw error;
      },
      { onError: 'rethrow' },
    );
    await expect(rig.settle(result)).rejects.toBe(error);
    expect(rig.holderOf('jobs')).toBeNull();
  });

  it("F4: with `onError: 'rethrow'` rejects `lead` with the very error, after the group was released", async () => {
    const rig = new CoordinatorRig();
    const [a, result] = await leader(rig, { onError: 'rethrow' });
    const error = { notEvenAnError: true };
    a.work('jobs').run.fail(error);
    await expect(rig.settle(result, 10)).rejects.toBe(error);
    expect(rig.holderOf('jobs')).toBeNull();
    await rig.runFor(3 * TTL_MS);
    expect(a.work('jobs').runs.length).toBe(1);
  });

  it("with `onError: 'rethrow'`, an error thrown while it settles on another's behalf is shown, and `lead` goes on", async () => {
    const rig = new CoordinatorRig();
    const [a] = await leader(rig, { onError: 'rethrow' }, true);
    const resigned = a.coordinator.resign('jobs');
    const error = new Error('interrupted');
    a.work('jobs').run.fail(error);
    expect(await rig.settle(resigned, 10)).toBe(true);
    await rig.until('a leads again', () => a.isLeading('jobs'), TTL_MS);
    expect(a.work('jobs').runs.length).toBe(2);
    const settled = a.events.find((event) => event.kind === 'group' && event.from === 'yielding');
    expect(settled).toMatchObject({ reason: 'resigned', error });
  });
});

describe('work that hangs', () => {
  const watchdogMs = 300;

  it('F4: is told to stop when it has not reported progress for `watchdogMs`, and another member takes over', async () => {
    const rig = new CoordinatorRig();
    const [a] = await leader(rig, { watchdogMs, backOff: { minMs: 2 * HEARTBEAT_MS } });
    const b = await standby(rig);
    const { run } = a.work('jobs');
    await rig.until('the watchdog bites', () => run.context.signal.aborted, 2 * watchdogMs);
    expect(rig.nowMs - run.startedAtMs).toBeGreaterThanOrEqual(watchdogMs);
    expect(rig.nowMs - run.startedAtMs).toBeLessThan(watchdogMs + 2);
    expect(run.context.signal.reason).toBeInstanceOf(LeadershipEndedError);
    expect(run.context.signal.reason).toMatchObject({ reason: 'hung', groupId: 'jobs', term: 1 });
    expect(yieldsOf(a)).toMatchObject([{ reason: 'hung' }]);
    await rig.until('b leads', () => b.isLeading('jobs'), HEARTBEAT_MS + 10);
  });

  it('F4: goes on for as long as it beats', async () => {
    const rig = new CoordinatorRig();
    const [a] = await leader(rig, { watchdogMs });
    const { run } = a.work('jobs');
    for (let beat = 0; beat < 20; beat += 1) {
      await rig.runFor(watchdogMs - 1);
      run.context.beat();
    }
    expect(run.context.signal.aborted).toBe(false);
    await rig.runFor(watchdogMs + 1);
    expect(run.context.signal.aborted).toBe(true);
  });

  it('F4: and does not stop either keeps its lease, so that nobody works beside it (T7)', async () => {
    const rig = new CoordinatorRig();
    const [a] = await leader(rig, { watchdogMs, settleDeadlineMs: 500, backOff: { minMs: 2 * HEARTBEAT_MS } }, true);
    const b = await standby(rig);
    await rig.runFor(10 * TTL_MS, () => expect(b.work('jobs').runs).toEqual([]));
    expect(rig.holderOf('jobs')).toBe(a.sessionId);
    expect(a.events.filter((event) => event.kind === 'overrun')).toMatchObject([{ groupId: 'jobs', term: 1, reason: 'hung' }]);
    a.work('jobs').run.end();
    await rig.until('b leads', () => b.isLeading('jobs'), HEARTBEAT_MS + 10);
  });

  it('F4: a beat of an earlier run does not keep a later one alive', async () => {
    const rig = new CoordinatorRig();
    const [a] = await leader(rig, { watchdogMs, onEnd: 'contend', backOff: { minMs: 0 } });
    const earlier = a.work('jobs').run.context;
    a.work('jobs').run.end();
    await rig.until('it leads again', () => a.work('jobs').runs.length === 2 && a.isLeading('jobs'));
    const { run } = a.work('jobs');
    for (let at = 0; at < 4; at += 1) {
      await rig.runFor(watchdogMs / 3);
      earlier.beat();
    }
    expect(run.context.signal.aborted).toBe(true);
  });

  it('there is no watchdog unless it is asked for', async () => {
    const rig = new CoordinatorRig();
    const [a] = await leader(rig);
    await rig.runFor(100 * TTL_MS);
    expect(a.work('jobs').run.context.signal.aborted).toBe(false);
    expect(a.isLeading('jobs')).toBe(true);
  });
});

describe('a member that is sick', () => {
  it('F4: does not win its group again before a healthy standby could notice, by default and without hints', async () => {
    for (const how of ['hangs', 'throws'] as const) {
      const rig = new CoordinatorRig();
      const a = rig.start('a');
      void a.lead('jobs', { watchdogMs: 300 });
      await rig.until('a leads', () => a.isLeading('jobs'));
      const b = await standby(rig);
      if (how === 'throws') a.work('jobs').run.fail(new Error('sick'));
      await rig.until('b leads', () => b.isLeading('jobs'), 300 + HEARTBEAT_MS + 20);
      expect(a.work('jobs').runs.length).toBe(1);
    }
  });
});
