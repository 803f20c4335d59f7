import { createCoordinator, StoreError, type LeaseStore, type StoreErrorCode } from '@wb/core';
import { memoryLeaseStore } from '@wb/core/memory';
import { describe, expect, it, vi } from 'vitest';
import { awaitObservation, type AwaitOptions, type Awaited } from './await-observation.js';

const fault = (code: StoreErrorCode, isRetryable: boolean): StoreError =>
  new StoreError(code, `so it is: ${code}`, { isRetryable, outcome: 'none' });

/** Waits for a leader in a store whose looks end as `look` says; without a word from it, as they do. */
async function waited(look: (count: number) => StoreError | 'silence' | null, options: Partial<AwaitOptions> = {}): Promise<Awaited> {
  const written = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  const store: LeaseStore = memoryLeaseStore();
  await store.openSession({ sessionId: 's', memberId: 'ada', ttlMs: 60_000 });
  await store.claim('s', ['g']);
  const read = store.read.bind(store);
  let count = 0;
  store.read = (groupIds, callOptions) => {
    const error = look(count++);
    if (error === 'silence') return new Promise(() => undefined);
    return error === null ? read(groupIds, callOptions) : Promise.reject(error);
  };
  await using coordinator = createCoordinator({ store, memberId: 'm', ttlMs: 100, heartbeatMs: 5, migrate: false });
  try {
    return await awaitObservation(coordinator, 'g', {
      timeoutMs: null,
      isSeen: ({ leader }) => leader !== null,
      mayLackTables: false,
      ...options,
    });
  } finally {
    written.mockRestore();
  }
}

describe('to wait for an observation', () => {
  it('ends with it, also after faults that pass', async () => {
    const seen = await waited((count) => (count < 3 ? fault('STORE_UNAVAILABLE', true) : null));
    expect(seen).toMatchObject({ kind: 'seen', observation: { leader: { memberId: 'ada' }, term: 1 } });
  });

  it('fails with a fault that does not pass', async () => {
    const refused = fault('STORE_REFUSED', false);
    await expect(waited(() => refused)).rejects.toBe(refused);
    await expect(waited(() => fault('STORE_NOT_MIGRATED', false))).rejects.toMatchObject({ code: 'STORE_NOT_MIGRATED' });
  });

  it('waits for tables where somebody may be about to make them', async () => {
    const seen = await waited((count) => (count < 3 ? fault('STORE_NOT_MIGRATED', false) : null), { mayLackTables: true });
    expect(seen.kind).toBe('seen');
  });

  it('does not take for known what is not, when the time is up', async () => {
    const away = fault('STORE_UNAVAILABLE', true);
    expect(await waited(() => away, { timeoutMs: 30 })).toEqual({ kind: 'timed-out', fault: away });
    expect(await waited(() => null, { timeoutMs: 30, isSeen: () => false })).toEqual({ kind: 'timed-out', fault: null });
    expect(await waited(() => 'silence', { timeoutMs: 1 })).toMatchObject({
      fault: { message: 'the store has not answered' },
    });
  });
});
