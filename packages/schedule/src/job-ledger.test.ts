import { StoreError, type JobWrite, type Lease, type LeaseStore } from '@wb/core';
import { MemoryDatabase, memoryLeaseStore } from '@wb/core/memory';
import { Scheduler as VirtualTime, VirtualClock } from '@wb/core/testing';
import { describe, expect, it } from 'vitest';
import { firstRecord } from './fresh-record.js';
import { JobLedger, type LedgerParts } from './job-ledger.js';
import { resolveJobOptions } from './job-options.js';
import type { JobRecord } from './job-record.js';

const FIRST = firstRecord(resolveJobOptions({ job: 'send', every: 1_000 }).policy, 0);

/** A ledger of a leader, and of its successor. */
class Bench {
  readonly time: VirtualTime = new VirtualTime();
  readonly clock: VirtualClock = new VirtualClock(this.time);
  readonly database: MemoryDatabase = new MemoryDatabase();
  readonly store: LeaseStore = memoryLeaseStore({ database: this.database, clock: new VirtualClock(this.time) });
  readonly writes: JobWrite[] = [];
  readonly faults: string[] = [];
  readonly end: AbortController = new AbortController();
  /** What becomes of a write: the reply, or a failure before or after it. */
  fate: (count: number) => 'well' | 'no request' | 'no reply' | 'silence' = () => 'well';
  isHeld = true;

  async lead(sessionId: string): Promise<JobLedger> {
    await this.store.openSession({ sessionId, memberId: sessionId, ttlMs: 60_000 });
    const [granted] = await this.store.claim(sessionId, ['orders']);
    const term = granted?.kind === 'granted' ? granted.term : 0;
    const lease = { groupId: 'orders', term, sessionId, isHeld: () => this.isHeld } as Lease;
    const store: LeaseStore = { ...this.store, writeJob: async (write) => await this.#write(write) };
    const parts: LedgerParts = {
      store,
      groupId: 'orders',
      jobId: 'send',
      lease,
      clock: this.clock,
      callDeadlineMs: 100,
      signal: this.end.signal,
      lastWordsMs: 500,
      onFault: (_operation, error) => this.faults.push(String(Reflect.get(error, 'code'))),
    };
    return new JobLedger(parts);
  }

  async #write(write: JobWrite): ReturnType<NonNullable<LeaseStore['writeJob']>> {
    this.writes.push(write);
    const fate = this.fate(this.writes.length);
    if (fate === 'no request') throw new StoreError('STORE_UNAVAILABLE', 'down', { isRetryable: true, outcome: 'none' });
    const result = await this.store.writeJob!(write);
    if (fate === 'silence') return await new Promise(() => undefined);
    if (fate === 'no reply') throw new StoreError('STORE_UNAVAILABLE', 'gone', { isRetryable: true });
    return result;
  }

  get record(): JobRecord {
    return JSON.parse(this.database.readJobs('orders')[0]!.record) as JobRecord;
  }

  async settle<T>(promise: Promise<T>): Promise<T> {
    await this.time.runFor(20_000);
    return await promise;
  }
}

const counting = (record: JobRecord | null): JobRecord => ({ ...(record ?? FIRST), count: (record?.count ?? 0) + 1 });

describe('the ledger of a job', () => {
  it('makes of the last record what it is told to, one after the other', async () => {
    const bench = new Bench();
    const ledger = await bench.lead('a');
    const results = await bench.settle(Promise.all(Array.from({ length: 5 }, () => ledger.update(counting))));
    expect(results).toEqual(Array.from({ length: 5 }, () => 'written'));
    expect(bench.record.count).toBe(5);
    expect(await ledger.update(() => null)).toBe('unchanged');
    expect(bench.writes).toHaveLength(5);
  });

  it('O2: asks anew when somebody has written meanwhile, with what is there now', async () => {
    const bench = new Bench();
    const ledger = await bench.lead('a');
    await ledger.update(counting);
    const paused = JSON.stringify({ ...bench.record, isPaused: true });
    await bench.store.writeJob!({ groupId: 'orders', jobId: 'send', expectedVersion: 1, writeId: 'operator', record: paused, lease: null });
    const seen: (boolean | undefined)[] = [];
    const result = await ledger.update((record) => {
      seen.push(record?.isPaused);
      return counting(record);
    });
    expect([result, ...seen]).toEqual(['written', false, true]);
    expect(bench.record).toMatchObject({ isPaused: true, count: 2 });
  });

  it.each(['no request', 'no reply', 'silence'] as const)(
    'O3: %s: the same write is sent again, until there is an answer',
    async (fault) => {
      const bench = new Bench();
      const ledger = await bench.lead('a');
      bench.fate = (count) => (count <= 3 ? fault : 'well');
      expect(await bench.settle(ledger.update(counting))).toBe('written');
      expect(bench.writes).toHaveLength(4);
      expect(new Set(bench.writes.map(({ writeId }) => writeId)).size).toBe(1);
      expect(bench.record.count).toBe(1);
      expect(bench.faults).toEqual(Array.from({ length: 3 }, () => (fault === 'silence' ? 'STORE_TIMEOUT' : 'STORE_UNAVAILABLE')));
    },
  );

  it('O1: under a lease that does not stand nothing is written, and nothing more is tried', async () => {
    const bench = new Bench();
    const ledger = await bench.lead('a');
    await ledger.update(counting);
    await bench.store.closeSession('a');
    const next = await bench.lead('b');
    expect(await ledger.update(counting)).toBe('lease-over');
    expect(await ledger.update(counting)).toBe('lease-over');
    expect(bench.writes).toHaveLength(2);
    expect(bench.record.count).toBe(1);
    // Its first look is the store's answer.
    expect(await next.update(counting)).toBe('written');
    expect(bench.record.count).toBe(2);
  });

  it('when leadership has ended it tries for a while, and then leaves the rest to the next leader', async () => {
    const bench = new Bench();
    const ledger = await bench.lead('a');
    bench.fate = () => 'no request';
    const update = ledger.update(counting);
    await bench.time.runFor(1_000);
    const endedAtMs = bench.time.nowMs;
    bench.end.abort();
    bench.isHeld = false;
    let endMs = 0;
    void update.then(() => (endMs = bench.time.nowMs));
    expect(await bench.settle(update)).toBe('lease-over');
    expect(endMs - endedAtMs).toBeGreaterThanOrEqual(500);
    expect(endMs - endedAtMs).toBeLessThan(2_000);
  });

  it('leaves what it cannot read as it is', async () => {
    const bench = new Bench();
    const ledger = await bench.lead('a');
    for (const [version, record] of ['{"format":2}', 'no JSON'].entries()) {
      await bench.store.writeJob!({ groupId: 'orders', jobId: 'send', expectedVersion: version, writeId: record, record, lease: null });
      ledger.adopt(bench.database.readJobs('orders')[0]!);
      await expect(ledger.update(counting)).rejects.toMatchObject({ code: 'JOB_RECORD_UNREADABLE' });
    }
    expect(bench.writes).toEqual([]);
  });
});
