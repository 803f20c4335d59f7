import { FencedError, type FenceLease } from '@wb/core';
import Database from 'better-sqlite3';
import { Kysely, SqliteDialect } from 'kysely';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../test-support/temporary-folder.js';
import { sqliteLeaseStore, type SqliteLeaseStore } from './index.js';

describe('a fence in a transaction of the user’s', () => {
  const folder = temporaryFolder();

  interface Bench extends AsyncDisposable {
    readonly store: SqliteLeaseStore;
    readonly lease: FenceLease;
    readonly database: Database.Database;
    readonly kysely: Kysely<Readonly<Record<string, never>>>;
    readonly takeOver: () => Promise<string>;
    readonly notes: () => readonly unknown[];
  }

  async function bench(): Promise<Bench> {
    const filename = folder.path('app.db');
    const store = sqliteLeaseStore({ filename });
    await store.migrate();
    for (const sessionId of ['leader', 'rival']) await store.openSession({ sessionId, memberId: 'm', ttlMs: 60_000 });
    await store.claim('leader', ['group']);
    const database = new Database(filename, { timeout: 0 });
    database.exec('create table note (n integer)');
    return {
      store,
      database,
      lease: { groupId: 'group', term: 1, sessionId: 'leader' },
      kysely: new Kysely({ dialect: new SqliteDialect({ database }) }),
      takeOver: async () => {
        await store.closeSession('leader');
        const [result] = await store.claim('rival', ['group']);
        return result!.kind;
      },
      notes: () => database.prepare('select n from note order by n').pluck().all(),
      [Symbol.asyncDispose]: async () => {
        database.close();
        await store.close();
      },
    };
  }

  const insert = (database: Database.Database, n: number): void => void database.prepare('insert into note values (?)').run(n);

  it('L6: lets the transaction commit while the lease stands', async () => {
    await using own = await bench();
    own.database
      .transaction(() => {
        insert(own.database, 1);
        own.store.fence(own.database, own.lease);
      })
      .immediate();
    expect(own.notes()).toEqual([1]);
  });

  it('L6: refuses a lease that was taken over, and rolls back what was written: who passes over the refusal commits nothing', async () => {
    await using own = await bench();
    await own.takeOver();
    own.database.exec('begin immediate');
    insert(own.database, 1);
    expect(() => own.store.fence(own.database, own.lease)).toThrow(FencedError);
    expect(own.database.inTransaction).toBe(false);
    expect(() => own.database.exec('commit')).toThrow('no transaction is active');
    expect(own.notes()).toEqual([]);
  });

  it('L6: a refusal inside of `transaction(…)` of the driver rolls back, and is what comes out', async () => {
    await using own = await bench();
    await own.takeOver();
    const work = own.database.transaction(() => {
      insert(own.database, 1);
      own.store.fence(own.database, own.lease);
    });
    expect(() => work.immediate()).toThrow(FencedError);
    expect(own.notes()).toEqual([]);
  });

  it('L6: finds a takeover that came after the transaction had begun and read', async () => {
    await using own = await bench();
    own.database.exec('begin');
    own.notes();
    expect(await own.takeOver()).toBe('granted');
    // Its snapshot is not the newest: it cannot take the write lock any more.
    expect(() => own.store.fence(own.database, own.lease)).toThrow(expect.objectContaining({ code: 'SQLITE_BUSY_SNAPSHOT' }));
    own.database.exec('rollback');
    own.database.exec('begin');
    expect(() => own.store.fence(own.database, own.lease)).toThrow(FencedError);
  });

  it('L6: holds a takeover back until the transaction has ended', async () => {
    await using own = await bench();
    own.database.exec('begin');
    own.store.fence(own.database, own.lease);
    let isTakenOver = false;
    const takingOver = own.takeOver().then((kind) => {
      isTakenOver = true;
      return kind;
    });
    insert(own.database, 1);
    for (let turns = 0; turns < 50; turns += 1) await new Promise(setImmediate);
    expect(isTakenOver).toBe(false);
    own.database.exec('commit');
    expect(await takingOver).toBe('granted');
    expect(own.notes()).toEqual([1]);
  });

  it('is refused outside of a transaction, on a handle and in kysely', async () => {
    await using own = await bench();
    expect(() => own.store.fence(own.database, own.lease)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION', field: 'executor' }));
    await expect(own.store.fence(own.kysely, own.lease)).rejects.toMatchObject({ code: 'INVALID_OPTION', field: 'executor' });
  });

  it('L6: does all of that in a transaction of kysely, which rolls back itself', async () => {
    await using own = await bench();
    const write = (n: number): Promise<void> =>
      own.kysely.transaction().execute(async (trx) => {
        insert(own.database, n);
        await own.store.fence(trx, own.lease);
      });
    await write(1);
    await own.takeOver();
    const refusal = await write(2).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(FencedError);
    expect((refusal as Error).message).toContain('its transaction must not be committed');
    expect(own.notes()).toEqual([1]);
  });
});
