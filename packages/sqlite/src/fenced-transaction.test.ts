import { FencedError, StoreError, systemClock, type FenceLease } from '@wb/core';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../test-support/temporary-folder.js';
import { sqliteLeaseStore, type SqliteLeaseStore, type SqliteTransaction } from './index.js';

const TTL_MS = 60_000;

/** Resolves when timers and whatever is ready have had their turn. */
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

describe('fenced transactions', () => {
  const folder = temporaryFolder();

  async function led(filename: string, ttlMs = TTL_MS): Promise<{ readonly store: SqliteLeaseStore; readonly lease: FenceLease }> {
    const store = sqliteLeaseStore({ filename });
    await store.migrate();
    await store.openSession({ sessionId: 'leader', memberId: 'm', ttlMs });
    await store.claim('leader', ['group']);
    await store.fenced({ groupId: 'group', term: 1, sessionId: 'leader' }, (trx) => trx.exec('create table note (n integer)'));
    return { store, lease: { groupId: 'group', term: 1, sessionId: 'leader' } };
  }

  it.each([
    ['synchronous', (trx: SqliteTransaction) => void trx.prepare('insert into note values (1)').run()],
    [
      'asynchronous',
      async (trx: SqliteTransaction) => {
        trx.prepare('insert into note values (1)').run();
        await turn();
      },
    ],
  ])('one after the other (%s work) leave the lock to heartbeats, of this session and of another one', async (_kind, work) => {
    const filename = folder.path('app.db');
    const { store, lease } = await led(filename, 1_000);
    const foreign = sqliteLeaseStore({ filename });
    await foreign.openSession({ sessionId: 'standby', memberId: 'm', ttlMs: 1_000 });
    let isDone = false;
    let longestMs = 0;
    const beat = async (client: SqliteLeaseStore, sessionId: string): Promise<number> => {
      for (let beats = 1; ; beats += 1) {
        const sentAtMs = systemClock.now().monotonicMs;
        const { alive } = await client.heartbeat({ sessionId, holders: [] });
        longestMs = Math.max(longestMs, systemClock.now().monotonicMs - sentAtMs);
        if (!alive) return -beats;
        if (isDone) return beats;
        await new Promise<void>((resolve) => void systemClock.schedule(50, resolve));
      }
    };
    const beats = [beat(store, 'leader'), beat(foreign, 'standby')];
    await turn();
    const endAtMs = systemClock.now().monotonicMs + 1_500;
    let count = 0;
    for (; systemClock.now().monotonicMs < endAtMs; count += 1) await store.fenced(lease, work);
    isDone = true;
    // At least one of every third of a second, and both sessions live at the end.
    for (const made of await Promise.all(beats)) expect(made).toBeGreaterThanOrEqual(4);
    expect(longestMs).toBeLessThan(700);
    expect(count).toBeGreaterThan(30);
    await foreign.close();
    await store.close();
  });

  it('T8: work that steps through rows when its time is up is rolled back all the same, and everybody can write again', async () => {
    const filename = folder.path('app.db');
    const { store, lease } = await led(filename);
    await store.fenced(lease, (trx) => trx.exec('insert into note values (1), (2), (3)'));
    let goOn = (): void => undefined;
    const gate = new Promise<void>((resolve) => (goOn = resolve));
    let stepping: Promise<void> = Promise.resolve();
    const late = store.fenced(
      lease,
      (trx) => {
        trx.prepare('insert into note values (4)').run();
        const rows = trx.prepare('select n from note') as unknown as { iterate(): Iterable<unknown> };
        const stepThrough = async (): Promise<void> => {
          for (const row of rows.iterate()) await gate.then(() => row);
        };
        stepping = stepThrough();
        return stepping;
      },
      { maxHoldMs: 50 },
    );
    await expect(late).rejects.toMatchObject({ code: 'STORE_TIMEOUT' });
    const other = new Database(filename, { timeout: 0 });
    other.prepare('insert into note values (5)').run();
    expect(other.prepare('select n from note order by n').pluck().all()).toEqual([1, 2, 3, 5]);
    expect(await store.heartbeat({ sessionId: 'leader', holders: [] })).toMatchObject({ alive: true });
    goOn();
    await expect(stepping).rejects.toThrow('the fenced transaction is over');
    other.close();
    await store.close();
  });

  it('rows that the work has left open do not keep its transaction from being committed', async () => {
    const { store, lease } = await led(folder.path('app.db'));
    await store.fenced(lease, (trx) => {
      trx.exec('insert into note values (1), (2)');
      const rows = trx.prepare('select n from note') as unknown as { iterate(): Iterator<{ readonly n: number }> };
      expect(rows.iterate().next()).toEqual({ done: false, value: { n: 1 } });
    });
    expect(await store.fenced(lease, (trx) => trx.prepare('select count(*) as n from note').get())).toEqual({ n: 2 });
    await store.close();
  });

  it('what the work was given is of no use afterwards', async () => {
    const { store, lease } = await led(folder.path('app.db'));
    const kept = await store.fenced(lease, (trx) => ({ trx, insert: trx.prepare('insert into note values (1)') }));
    expect(() => kept.trx.exec('insert into note values (1)')).toThrow('the fenced transaction is over');
    expect(() => kept.insert.run()).toThrow('the fenced transaction is over');
    expect(await store.fenced(lease, (trx) => trx.prepare('select count(*) as n from note').get())).toEqual({ n: 0 });
    await store.close();
  });

  it('T10: a lease that was lost while others had their turn is refused before its work begins', async () => {
    const { store, lease } = await led(folder.path('app.db'));
    let goOn = (): void => undefined;
    const gate = new Promise<void>((resolve) => (goOn = resolve));
    const first = store.fenced(lease, () => gate);
    let remainingMs = 1_000;
    let hasBegun = false;
    const second = store.fenced({ ...lease, remainingMs: () => remainingMs }, () => void (hasBegun = true));
    await turn();
    remainingMs = 0;
    goOn();
    await first;
    await expect(second).rejects.toBeInstanceOf(FencedError);
    expect(hasBegun).toBe(false);
    await store.close();
  });

  it('an end of the store ends the wait for a turn', async () => {
    const { store, lease } = await led(folder.path('app.db'));
    const first = store.fenced(lease, () => new Promise(() => undefined)).catch((error: unknown) => error);
    const second = store.fenced(lease, () => undefined).catch((error: unknown) => error);
    await turn();
    await store.close();
    for (const error of [await first, await second]) expect(error).toMatchObject({ code: 'STORE_CLOSED' });
    expect(await first).toBeInstanceOf(StoreError);
  });
});
