import { describe, expect, it } from 'vitest';
import { CoordinatorRig, HEARTBEAT_MS, type RigNode, TTL_MS } from '../test-support/coordinator-rig.js';
import type { LeadOptions, LeadResult, WorkContext } from './coordinator-types.js';

const BEATS = 20;

/** A member that leads many groups with work that lasts until it is told to stop. */
interface Crowd {
  readonly node: RigNode;
  readonly results: Promise<LeadResult<void>>[];
  /** How many works are under way. */
  runningCount: number;
}

function crowd(rig: CoordinatorRig, memberId: string, groupCount: number, options: LeadOptions = {}): Crowd {
  const node = rig.start(memberId);
  const all: Crowd = { node, results: [], runningCount: 0 };
  const work = ({ signal }: WorkContext): Promise<void> => {
    all.runningCount += 1;
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        all.runningCount -= 1;
        resolve();
      });
    });
  };
  for (let index = 0; index < groupCount; index += 1) all.results.push(node.coordinator.lead(`group-${index}`, work, options));
  return all;
}

/** What a member does in a number of heartbeats while nothing happens. */
async function idle(rig: CoordinatorRig, { node }: Crowd): Promise<Record<string, unknown>> {
  const sentCount = node.callsOf('heartbeat').length;
  await rig.until('a heartbeat is sent', () => node.callsOf('heartbeat').length > sentCount);
  await rig.runFor(HEARTBEAT_MS / 2);
  const before = { calls: node.calls.length, set: node.timers.setCount, fired: node.timers.firedCount, events: node.events.length };
  await rig.runFor(BEATS * HEARTBEAT_MS);
  return {
    statements: node.calls.slice(before.calls).map((call) => call.operation),
    timersWaiting: node.timers.waitingCount,
    timersSet: node.timers.setCount - before.set,
    callbacksRun: node.timers.firedCount - before.fired,
    events: node.events.length - before.events,
  };
}

describe('ten thousand groups', () => {
  it('§8: one heartbeat statement per interval, and no other, whatever the number of groups; nor do timers or callbacks grow with them', async () => {
    const measured: unknown[] = [];
    for (const groupCount of [10, 10_000]) {
      const rig = new CoordinatorRig();
      const leading = crowd(rig, 'a', groupCount);
      await rig.until('all are led', () => leading.runningCount === groupCount);
      await rig.runFor(2 * HEARTBEAT_MS);
      measured.push(await idle(rig, leading));
    }
    expect(measured[1]).toEqual(measured[0]);
    expect(measured[1]).toMatchObject({ statements: Array.from({ length: BEATS }, () => 'heartbeat'), timersWaiting: 1, events: 0 });
  });

  it('§8: nor does what a standby does grow with the groups that it waits for', async () => {
    const measured: unknown[] = [];
    for (const groupCount of [10, 10_000]) {
      const rig = new CoordinatorRig();
      const leading = crowd(rig, 'a', groupCount);
      await rig.until('all are led', () => leading.runningCount === groupCount);
      const waiting = crowd(rig, 'b', groupCount);
      await rig.until('all are waited for', () => waiting.node.callsOf('contend').length > 0);
      await rig.runFor(2 * HEARTBEAT_MS);
      measured.push(await idle(rig, waiting));
      expect(waiting.node.callsOf('heartbeat').at(-1)!.args[0]).toMatchObject({ holders: [leading.node.sessionId] });
    }
    expect(measured[1]).toEqual(measured[0]);
    expect(measured[1]).toMatchObject({ statements: Array.from({ length: BEATS }, () => 'heartbeat'), timersWaiting: 1, events: 0 });
  });

  it('one timer watches ten thousand works for hanging', async () => {
    const rig = new CoordinatorRig();
    const leading = crowd(rig, 'a', 10_000, { watchdogMs: 60 * TTL_MS });
    await rig.until('all are led', () => leading.runningCount === 10_000);
    await rig.runFor(2 * HEARTBEAT_MS);
    expect(await idle(rig, leading)).toMatchObject({ statements: Array.from({ length: BEATS }, () => 'heartbeat'), timersWaiting: 1 });
  });

  it('§8, T9: those of a dead process are taken over by a handful of statements, right after its session has expired', async () => {
    const rig = new CoordinatorRig();
    const leading = crowd(rig, 'a', 10_000);
    await rig.until('all are led', () => leading.runningCount === 10_000);
    expect(leading.node.callsOf('claim').length).toBeLessThanOrEqual(6);
    const standby = crowd(rig, 'b', 10_000);
    await rig.runFor(3 * HEARTBEAT_MS);
    expect(standby.runningCount).toBe(0);
    const { sessionId } = leading.node;
    leading.node.kill();
    const before = standby.node.calls.length;
    await rig.until(
      'the first are claimed',
      () => standby.node.calls.slice(before).some(({ operation }) => operation === 'claim'),
      TTL_MS + HEARTBEAT_MS,
    );
    // Before the machines of all of them have moved.
    expect(standby.node.coordinator.status().groups.filter(({ state }) => state === 'standby').length).toBe(8_000);
    await rig.until('all are taken over', () => standby.runningCount === 10_000, TTL_MS + HEARTBEAT_MS);
    const { expiresAt } = rig.database.sessions.get(sessionId!)!;
    expect(rig.nowMs).toBeLessThan(expiresAt + 20);
    const statements = standby.node.calls.slice(before).map((call) => call.operation);
    expect(statements.filter((operation) => operation === 'claim').length).toBe(5);
    expect(statements.filter((operation) => operation !== 'heartbeat' && operation !== 'claim')).toEqual([]);
    expect(rig.database.leases.get('group-9999')).toEqual({ term: 2, holderId: standby.node.sessionId });
  });

  it('F14: closing releases all of them with a handful of statements, and a standby has them within a heartbeat', async () => {
    const rig = new CoordinatorRig();
    const leading = crowd(rig, 'a', 10_000);
    await rig.until('all are led', () => leading.runningCount === 10_000);
    const standby = crowd(rig, 'b', 10_000);
    await rig.runFor(3 * HEARTBEAT_MS);
    const before = leading.node.calls.length;
    await rig.settle(leading.node.coordinator.close(), 50);
    expect(await Promise.all(leading.results)).toEqual(leading.results.map(() => ({ reason: 'closed' })));
    expect(leading.node.calls.length - before).toBeLessThanOrEqual(8);
    await rig.until('all are taken over', () => standby.runningCount === 10_000, HEARTBEAT_MS + 30);
    expect(leading.runningCount).toBe(0);
  });
});
