import type { LeaseStore } from '@wb/core';
import { MIGRATION_NAMES, TABLE_NAMES } from '@wb/sql';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../test-support/temporary-folder.js';
import { sqliteLeaseStore } from './index.js';
import { SqliteConnection } from './sqlite-connection.js';
import { migrateSqlite } from './sqlite-migration.js';
import { sqliteSchema } from './sqlite-schema.js';
import { compileStoreSql } from './sqlite-statements.js';

describe('migrate()', () => {
  const folder = temporaryFolder();

  it('F20: several clients may run it at once on a file that does not exist', async () => {
    const stores = Array.from({ length: 8 }, () => sqliteLeaseStore({ filename: folder.path('app.db') }));
    await Promise.all(stores.map((store) => store.migrate()));
    await stores[0]!.openSession({ sessionId: 's', memberId: 'm', ttlMs: 60_000 });
    for (const store of stores) expect(await store.members()).toHaveLength(1);
    const database = new Database(folder.path('app.db'));
    expect(database.prepare('select count(*) from wb_migration').pluck().get()).toBe(MIGRATION_NAMES.length);
    database.close();
    for (const store of stores) await store.close();
  });

  it('F20: another process that is done between the first look and the lock has left nothing to do', () => {
    const database = new Database(folder.path('app.db'));
    database.pragma('journal_mode = wal');
    const schema = sqliteSchema('wb_');
    const storeSql = compileStoreSql(schema.db, 'wb_');
    const theirs = new Database(folder.path('app.db'));
    const migrateThere = (): void => migrateSqlite(new SqliteConnection(theirs, null, storeSql), schema, 'wb_');
    let isFirst = true;
    const prepare = database.prepare.bind(database);
    database.prepare = ((source: string) => {
      const native = prepare(source);
      if (source !== 'begin immediate') return native;
      const run = native.run.bind(native);
      native.run = () => {
        if (isFirst) migrateThere();
        isFirst = false;
        return run();
      };
      return native;
    }) as typeof database.prepare;
    migrateSqlite(new SqliteConnection(database, null, storeSql), schema, 'wb_');
    expect(isFirst).toBe(false);
    expect(theirs.prepare('select count(*) from wb_migration').pluck().get()).toBe(MIGRATION_NAMES.length);
    theirs.close();
    database.close();
  });

  it('F20: leaves nothing behind when it fails in the middle, and is taken up again when the obstacle is gone', async () => {
    const database = new Database(folder.path('app.db'));
    database.pragma('journal_mode = wal');
    // In the way of an index, which comes after the tables.
    database.exec('create table wb_lease_session_id (n integer)');
    const store = sqliteLeaseStore({ database });
    const tables = (): unknown[] => database.prepare("select name from sqlite_schema where type = 'table' order by name").pluck().all();
    await expect(store.migrate()).rejects.toMatchObject({ code: 'STORE_FAULT', outcome: 'none' });
    expect(tables()).toEqual(['wb_lease_session_id']);
    expect(database.inTransaction).toBe(false);
    database.exec('drop table wb_lease_session_id');
    await store.migrate();
    expect(tables()).toEqual(TABLE_NAMES.map((name) => `wb_${name}`).toSorted());
    database.close();
  });

  it('F20: changes nothing that is there, however often it is run, and minds no migration of a newer version', async () => {
    const store = sqliteLeaseStore({ filename: folder.path('app.db') });
    await store.migrate();
    await store.openSession({ sessionId: 's', memberId: 'm', ttlMs: 60_000 });
    await store.claim('s', ['g']);
    const database = new Database(folder.path('app.db'));
    database.exec("insert into wb_migration values ('9999-of-tomorrow')");
    const version = (): unknown => database.pragma('data_version', { simple: true });
    const before = version();
    for (let times = 0; times < 3; times += 1) await store.migrate();
    // It would differ had another connection written.
    expect(version()).toBe(before);
    expect(await store.held('s')).toMatchObject({ leases: [{ groupId: 'g', term: 1 }] });
    database.close();
    await store.close();
  });

  const calls: readonly (readonly [string, (store: LeaseStore) => Promise<unknown>])[] = [
    ['openSession', (store) => store.openSession({ sessionId: 's', memberId: 'm', ttlMs: 60_000 })],
    ['heartbeat', (store) => store.heartbeat({ sessionId: 's', holders: [] })],
    ['closeSession', (store) => store.closeSession('s')],
    ['contend', (store) => store.contend('s', ['g'])],
    ['withdraw', (store) => store.withdraw('s', ['g'])],
    ['claim', (store) => store.claim('s', ['g'])],
    ['release', (store) => store.release('s', [{ groupId: 'g', term: 1 }])],
    ['held', (store) => store.held('s')],
    ['read', (store) => store.read(['g'])],
    ['members', (store) => store.members()],
  ];

  it.each(calls)('before it `%s` says that it is missing, and works afterwards on the same client', async (operation, run) => {
    const store = sqliteLeaseStore({ filename: folder.path('app.db') });
    const expected = { code: 'STORE_NOT_MIGRATED', outcome: 'none', isRetryable: false };
    await expect(run(store)).rejects.toMatchObject(expected);
    await expect(run(store)).rejects.toThrow(`\`${operation}\` failed: the tables of the store are not there`);
    await store.migrate();
    await expect(run(store)).resolves.not.toThrow();
    await store.close();
  });

  it('tables that vanish later are missed, and found again when they are back', async () => {
    const store = sqliteLeaseStore({ filename: folder.path('app.db') });
    await store.migrate();
    await store.openSession({ sessionId: 's', memberId: 'm', ttlMs: 60_000 });
    const database = new Database(folder.path('app.db'));
    database.exec('drop table wb_session; drop table wb_migration');
    await expect(store.members()).rejects.toMatchObject({ code: 'STORE_NOT_MIGRATED' });
    await store.migrate();
    expect(await store.members()).toEqual([]);
    database.close();
    await store.close();
  });
});
