import { describe, expect, it } from 'vitest';
import { createCoordinator } from './coordinator.js';
import { memoryLeaseStore } from './memory/index.js';

describe('a coordinator with nothing but a store and a name', () => {
  it('leads at once, on the clocks of this machine, with a session of its own and the default timings', async () => {
    await using coordinator = createCoordinator({ store: () => memoryLeaseStore(), memberId: 'a' });
    const result = await coordinator.lead('jobs', async ({ lease, term, memberId }) => {
      lease.assertHeld();
      await lease.ensure(5_000);
      const [member] = await coordinator.members();
      return { term, memberId, member, remainingMs: lease.remainingMs() };
    });
    expect(result).toMatchObject({
      reason: 'work-ended',
      term: 1,
      value: { term: 1, memberId: 'a', member: { memberId: 'a', ttlMs: 10_000, leaseCount: 1 } },
    });
    const { value } = result as Extract<typeof result, { readonly value: unknown }>;
    expect(value.member!.sessionId).toMatch(/^[0-9a-f-]{36}$/);
    expect(value.remainingMs).toBeGreaterThan(5_000);
    expect(value.remainingMs).toBeLessThanOrEqual(9_000);
  });

  it('two of them in one process share the store, and the second leads when the first is closed', async () => {
    const store = memoryLeaseStore();
    const first = createCoordinator({ store, memberId: 'a' });
    const second = createCoordinator({ store, memberId: 'b' });
    const terms: string[] = [];
    const started = new Promise<void>((resolve) => {
      void first.lead('jobs', async ({ term, signal }) => {
        terms.push(`a ${term}`);
        resolve();
        await new Promise((stop) => {
          signal.addEventListener('abort', stop);
        });
      });
    });
    await started;
    const result = second.lead('jobs', ({ term }) => {
      terms.push(`b ${term}`);
    });
    await new Promise<void>((resolve) => {
      second.on('group', ({ reason }) => {
        if (reason === 'held') resolve();
      });
    });
    await first.close();
    expect(await result).toMatchObject({ reason: 'work-ended', term: 2 });
    expect(terms).toEqual(['a 1', 'b 2']);
    await second.close();
    expect(await store.members()).toEqual([]);
  });
});
