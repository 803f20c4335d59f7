import { describe, expect, it } from 'vitest';
import { StoreError } from './errors.js';
import { EventStream } from './event-stream.js';
import { HintWatch } from './hint-watch.js';
import type { LeaseHint, LeaseStore } from './lease-store.js';
import { MemoryDatabase, memoryLeaseStore, type StoreInstant } from './memory/index.js';
import { StoreCaller } from './store-caller.js';
import { resolveTimings } from './timings.js';
import { Scheduler, VirtualClock } from './testing/index.js';

function withoutWatch(store: LeaseStore): LeaseStore {
  const copy: { -readonly [K in keyof LeaseStore]: LeaseStore[K] } = { ...store };
  delete copy.watch;
  return copy;
}

class Bench {
  readonly scheduler = new Scheduler();
  readonly clock = new VirtualClock(this.scheduler);
  readonly database = new MemoryDatabase();
  readonly hints: LeaseHint[] = [];
  startCount = 0;
  endCount = 0;
  before: () => Promise<void> = () => Promise.resolve();
  migrate: () => Promise<void> = () => Promise.resolve();
  readonly store: LeaseStore;
  readonly watch: HintWatch;

  constructor(hasWatch: boolean = true) {
    const memory = memoryLeaseStore({ database: this.database, clock: this.clock });
    this.store = hasWatch
      ? {
          ...memory,
          watch: async (onHint, call) => {
            this.startCount += 1;
            await this.before();
            const started = await memory.watch!(onHint, call);
            return {
              [Symbol.asyncDispose]: async (): Promise<void> => {
                this.endCount += 1;
                await started[Symbol.asyncDispose]();
              },
            };
          },
        }
      : withoutWatch(memory);
    const caller = new StoreCaller(this.clock, new EventStream());
    this.watch = new HintWatch(
      {
        store: this.store,
        migration: { ensure: () => this.migrate() },
        timings: resolveTimings({ ttlMs: 6_000, callDeadlineMs: 300 }),
        clock: this.clock,
        random: () => 0.5,
      },
      caller,
      (hint) => this.hints.push(hint),
    );
    this.database.openSession({ sessionId: 's1', memberId: 'a', ttlMs: 1_000 }, 0 as StoreInstant);
  }

  async hint(): Promise<void> {
    this.database.claim('s1', [`group-${this.database.leases.size}`], 0 as StoreInstant);
    await Promise.resolve();
  }
}

describe('W1: the watch for hints', () => {
  it('F17: it waits for the tables: who only observes may be the first to ask anything of the store', async () => {
    const bench = new Bench();
    bench.migrate = () => Promise.reject(new StoreError('STORE_UNAVAILABLE', 'down', { isRetryable: true }));
    await bench.watch.start();
    expect(bench.startCount).toBe(0);
    let isMigrated = false;
    bench.migrate = () => {
      isMigrated = true;
      return Promise.resolve();
    };
    bench.before = () => {
      expect(isMigrated).toBe(true);
      return Promise.resolve();
    };
    await bench.scheduler.runFor(2_000);
    expect(bench.startCount).toBe(1);
    await bench.watch.close();
  });

  it('passes hints on, once, however often it is started', async () => {
    const bench = new Bench();
    await Promise.all([bench.watch.start(), bench.watch.start()]);
    await bench.watch.start();
    await bench.hint();
    expect(bench.startCount).toBe(1);
    expect(bench.hints).toEqual([{ groupIds: ['group-0'] }]);
  });

  it('a store without one is none the worse', async () => {
    const bench = new Bench(false);
    await bench.watch.start();
    await bench.watch.close();
    await bench.hint();
    expect(bench.hints).toEqual([]);
  });

  it('one that failed to start is started again by itself, less and less often, until it is there', async () => {
    const bench = new Bench();
    bench.before = () => Promise.reject(new StoreError('STORE_BUSY', 'too many connections', { isRetryable: true }));
    await bench.watch.start();
    expect(bench.startCount).toBe(1);
    await bench.scheduler.runUntil(60_000);
    const tried = bench.startCount;
    expect(tried).toBeGreaterThanOrEqual(5);
    expect(tried).toBeLessThanOrEqual(8);
    bench.before = () => Promise.resolve();
    await bench.scheduler.runUntil(180_000);
    expect(bench.startCount).toBe(tried + 1);
    await bench.hint();
    expect(bench.hints).toEqual([{ groupIds: ['group-0'] }]);
    await bench.watch.close();
  });

  it('one that cannot be had, and one that is closed, are not tried again', async () => {
    const refused = new Bench();
    refused.before = () => Promise.reject(new StoreError('STORE_REFUSED', 'no right to listen'));
    await refused.watch.start();
    const closed = new Bench();
    closed.before = () => Promise.reject(new StoreError('STORE_BUSY', 'too many connections', { isRetryable: true }));
    await closed.watch.start();
    await closed.watch.close();
    for (const bench of [refused, closed]) {
      await bench.scheduler.runUntil(600_000);
      expect(bench.startCount).toBe(1);
    }
  });

  it('one that failed to start is started anew the next time', async () => {
    const bench = new Bench();
    bench.before = () => Promise.reject(new Error('too many connections'));
    await bench.watch.start();
    bench.before = () => Promise.resolve();
    await bench.hint();
    expect(bench.hints).toEqual([]);
    await bench.watch.start();
    await bench.hint();
    expect(bench.startCount).toBe(2);
    expect(bench.hints).toEqual([{ groupIds: ['group-1'] }]);
  });

  it('T5: one that never starts is given up at its deadline', async () => {
    const bench = new Bench();
    bench.before = () => new Promise(() => undefined);
    const starting = bench.watch.start();
    await bench.scheduler.runFor(301);
    await starting;
    bench.before = () => Promise.resolve();
    await bench.watch.start();
    expect(bench.startCount).toBe(2);
  });

  it('is ended with the coordinator, and does not start again', async () => {
    const bench = new Bench();
    await bench.watch.start();
    await bench.watch.close();
    await bench.watch.start();
    await bench.hint();
    expect([bench.startCount, bench.endCount]).toEqual([1, 1]);
    expect(bench.hints).toEqual([]);
  });

  it('one that is still starting at the close is ended as soon as it has', async () => {
    const bench = new Bench();
    let go = (): void => undefined;
    bench.before = () =>
      new Promise((resolve) => {
        go = resolve;
      });
    const starting = bench.watch.start();
    await bench.watch.close();
    go();
    await starting;
    expect([bench.startCount, bench.endCount]).toEqual([1, 1]);
    await bench.hint();
    expect(bench.hints).toEqual([]);
  });
});
