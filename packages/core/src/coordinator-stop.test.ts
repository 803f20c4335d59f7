import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { CALL_DEADLINE_MS, CoordinatorRig, HEARTBEAT_MS, REPLY_LOST, SMOOTH, TTL_MS, WAY_MS } from '../test-support/coordinator-rig.js';

describe('the signal given to lead', () => {
  it('F15: work is not begun when it aborts between the grant and the start', async () => {
    const rig = new CoordinatorRig();
    const abort = new AbortController();
    const node = rig.start('a');
    node.coordinator.on('group', (event) => {
      if (event.to === 'leading') abort.abort();
    });
    expect(await rig.settle(node.lead('jobs', { signal: abort.signal }), TTL_MS)).toEqual({ reason: 'stopped' });
    expect(node.work('jobs').runs).toEqual([]);
    expect(rig.database.leases.get('jobs')).toEqual({ term: 1, holderId: null });
  });

  it('may live longer than what it was given to: no listener is left on it', async () => {
    const rig = new CoordinatorRig();
    const { signal } = new AbortController();
    const node = rig.start('a');
    const result = node.lead('jobs', { signal });
    await rig.until('it leads', () => node.isLeading('jobs'));
    expect(getEventListeners(signal, 'abort').length).toBe(1);
    node.work('jobs').run.end();
    await rig.settle(result, 10);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('resolves at once when it has aborted before, without touching the store', async () => {
    const rig = new CoordinatorRig();
    const node = rig.start('a');
    expect(await node.lead('jobs', { signal: AbortSignal.abort() })).toEqual({ reason: 'stopped' });
    await rig.runFor(TTL_MS);
    expect(node.calls).toEqual([]);
    expect(node.timers.setCount).toBe(0);
  });

  it('T7: hands leadership over: the work settles first, then the lease is released', async () => {
    const rig = new CoordinatorRig();
    const abort = new AbortController();
    const a = rig.start('a');
    const result = a.lead('jobs', { signal: abort.signal }, true);
    await rig.until('a leads', () => a.isLeading('jobs'));
    abort.abort();
    const { run } = a.work('jobs');
    expect(run.context.signal.reason).toMatchObject({ code: 'LEADERSHIP_ENDED', reason: 'stopped', groupId: 'jobs', term: 1 });
    await rig.runFor(5 * TTL_MS, () => expect(rig.holderOf('jobs')).toBe(a.sessionId));
    run.end();
    expect(await rig.settle(result, 10)).toEqual({ reason: 'stopped' });
    expect(rig.holderOf('jobs')).toBeNull();
    expect(a.group('jobs')).toBeUndefined();
  });

  it('ends standing by', async () => {
    const rig = new CoordinatorRig();
    const abort = new AbortController();
    const a = rig.start('a');
    void a.lead('jobs');
    await rig.until('a leads', () => a.isLeading('jobs'));
    const b = rig.start('b');
    const result = b.lead('jobs', { signal: abort.signal });
    await rig.until('b stands by', () => b.group('jobs')?.leader != null);
    await rig.runFor(10);
    expect(rig.database.read(['jobs'], rig.storeNow)[0]!.contenderCount).toBe(2);
    abort.abort();
    expect(await rig.settle(result, 0)).toEqual({ reason: 'stopped' });
    await rig.until('the store knows', () => rig.database.read(['jobs'], rig.storeNow)[0]!.contenderCount === 1, HEARTBEAT_MS);
    a.kill();
    await rig.runFor(3 * TTL_MS);
    expect(rig.holderOf('jobs')).toBeNull();
  });

  it('gives a lease back that is granted after it aborted, without having started the work', async () => {
    const rig = new CoordinatorRig();
    const abort = new AbortController();
    const node = rig.start('a');
    const result = node.lead('jobs', { signal: abort.signal });
    await rig.until('a claim is sent', () => node.callsOf('claim').length > 0);
    abort.abort();
    expect(await rig.settle(result, 10 * WAY_MS)).toEqual({ reason: 'stopped' });
    expect(node.work('jobs').runs).toEqual([]);
    expect(rig.database.leases.get('jobs')).toEqual({ term: 1, holderId: null });
  });

  it('gives a lease back whose grant was not heard of before it aborted (the trap of the late claim)', async () => {
    const rig = new CoordinatorRig();
    const abort = new AbortController();
    const node = rig.start('a');
    let lostCount = 0;
    node.fate = (operation) => {
      if (operation !== 'claim' || lostCount === 2) return SMOOTH;
      lostCount += 1;
      return REPLY_LOST;
    };
    const result = node.lead('jobs', { signal: abort.signal });
    await rig.until('the store has granted it', () => rig.holderOf('jobs') !== null);
    abort.abort();
    expect(await rig.settle(result, 3 * CALL_DEADLINE_MS)).toEqual({ reason: 'stopped' });
    expect(rig.database.leases.get('jobs')?.holderId).toBeNull();
    expect(node.work('jobs').runs).toEqual([]);
  });

  it('may stop any number of groups: Node does not warn of a leak', async () => {
    const warnings: string[] = [];
    const hear = (warning: Error): void => void warnings.push(warning.name);
    process.on('warning', hear);
    try {
      const rig = new CoordinatorRig();
      const node = rig.start('a');
      const stop = new AbortController();
      const results = Array.from({ length: 20 }, (_, index) => node.lead(`group-${index}`, { signal: stop.signal }));
      await rig.runFor(100);
      expect(warnings).toEqual([]);
      stop.abort();
      expect(await rig.settle(Promise.all(results), 50)).toEqual(results.map(() => ({ reason: 'stopped' })));
    } finally {
      process.off('warning', hear);
    }
  });
});
