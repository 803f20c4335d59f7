import { describe, expect, it } from 'vitest';
import { EventStream } from './event-stream.js';
import type { LeaseStore } from './lease-store.js';
import { memoryLeaseStore } from './memory/index.js';
import { Migration } from './migration.js';
import { StoreCaller } from './store-caller.js';
import { Scheduler, VirtualClock } from './testing/index.js';

function bench(migrate: () => Promise<void>): {
  readonly store: LeaseStore;
  readonly caller: StoreCaller;
  readonly scheduler: Scheduler;
  count: number;
} {
  const scheduler = new Scheduler();
  const parts = { scheduler, caller: new StoreCaller(new VirtualClock(scheduler), new EventStream()), count: 0 };
  const store: LeaseStore = {
    ...memoryLeaseStore(),
    migrate: () => {
      parts.count += 1;
      return migrate();
    },
  };
  return Object.assign(parts, { store });
}

describe('F20: the migration', () => {
  it('is made once, before anything else is asked', async () => {
    const parts = bench(() => Promise.resolve());
    const migration = new Migration(parts.store, parts.caller, true);
    expect(parts.count).toBe(0);
    await migration.ensure(100);
    await migration.ensure(100);
    expect(parts.count).toBe(1);
  });

  it('is one for all who ask at the same time, and who fails fails for all of them; the next tries again', async () => {
    let isDown = true;
    const parts = bench(() => (isDown ? Promise.reject(new Error('down')) : Promise.resolve()));
    const migration = new Migration(parts.store, parts.caller, true);
    const outcomes = await Promise.allSettled([migration.ensure(100), migration.ensure(100)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(parts.count).toBe(1);
    isDown = false;
    await Promise.all([migration.ensure(100), migration.ensure(100)]);
    expect(parts.count).toBe(2);
  });

  it('is left to others when it is not wanted', async () => {
    const parts = bench(() => Promise.reject(new Error('no rights')));
    await new Migration(parts.store, parts.caller, false).ensure(100);
    expect(parts.count).toBe(0);
  });

  it('F17: is tried again by the next one when it failed', async () => {
    let isDown = true;
    const parts = bench(() => (isDown ? Promise.reject(new Error('down')) : Promise.resolve()));
    const migration = new Migration(parts.store, parts.caller, true);
    await expect(migration.ensure(100)).rejects.toMatchObject({ code: 'STORE_FAULT' });
    isDown = false;
    await migration.ensure(100);
    await migration.ensure(100);
    expect(parts.count).toBe(2);
  });

  it('T5: ends at its deadline', async () => {
    const parts = bench(() => new Promise(() => undefined));
    const migrating = new Migration(parts.store, parts.caller, true).ensure(100).catch((error: unknown) => error);
    await parts.scheduler.runFor(101);
    expect(await migrating).toMatchObject({ code: 'STORE_TIMEOUT' });
    expect(parts.count).toBe(1);
  });
});
