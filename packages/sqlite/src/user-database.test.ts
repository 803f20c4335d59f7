import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../test-support/temporary-folder.js';
import { sqliteLeaseStore } from './index.js';

const SESSION = { sessionId: 's', memberId: 'm', ttlMs: 60_000 };

describe("the user's own database", () => {
  const folder = temporaryFolder();

  function open(): Database.Database {
    const database = new Database(folder.path('app.db'));
    database.pragma('journal_mode = wal');
    return database;
  }

  it('is never closed by the store', async () => {
    const database = open();
    const store = sqliteLeaseStore({ database });
    await store.migrate();
    await store.close();
    expect(database.open).toBe(true);
    await expect(store.members()).rejects.toMatchObject({ code: 'STORE_CLOSED' });
    database.close();
  });

  it('has its pragmas back after every call, also after one that failed', async () => {
    const database = open();
    database.pragma('busy_timeout = 1234');
    database.pragma('synchronous = OFF');
    const store = sqliteLeaseStore({ database });
    const pragmas = (): unknown[] => ['busy_timeout', 'synchronous', 'journal_mode'].map((name) => database.pragma(name, { simple: true }));
    const before = pragmas();
    expect(before).toEqual([1234, 0, 'wal']);
    await expect(store.members()).rejects.toMatchObject({ code: 'STORE_NOT_MIGRATED' });
    expect(pragmas()).toEqual(before);
    await store.migrate();
    await store.openSession(SESSION);
    await store.claim('s', ['g']);
    await store.heartbeat({ sessionId: 's', holders: [] });
    await expect(store.openSession(SESSION)).rejects.toMatchObject({ code: 'STORE_SESSION_EXISTS' });
    expect(pragmas()).toEqual(before);
    database.close();
  });

  it('may give out `bigint` everywhere: the store does not', async () => {
    const database = open();
    database.defaultSafeIntegers(true);
    const store = sqliteLeaseStore({ database });
    await store.migrate();
    await store.openSession(SESSION);
    expect(await store.claim('s', ['g'])).toEqual([{ kind: 'granted', groupId: 'g', term: 1, fresh: true }]);
    expect(database.prepare('select 1 as one').get()).toEqual({ one: 1n });
    database.close();
  });

  it('inside a transaction of its owner: a call waits until that has ended, and is not a part of it', async () => {
    const database = open();
    const store = sqliteLeaseStore({ database });
    await store.migrate();
    database.exec('begin');
    const opening = store.openSession(SESSION);
    // It has tried by now, and tries again.
    await new Promise(setImmediate);
    expect(database.prepare('select count(*) as count from wb_session').get()).toEqual({ count: 0 });
    database.exec('rollback');
    await opening;
    expect((await store.members()).map(({ sessionId }) => sessionId)).toEqual(['s']);
    database.close();
  });

  it('inside a transaction that does not end: the call ends with its signal, and has done nothing', async () => {
    const database = open();
    const store = sqliteLeaseStore({ database });
    await store.migrate();
    database.exec('begin');
    const abort = new AbortController();
    const opening = store.openSession(SESSION, { signal: abort.signal });
    await new Promise(setImmediate);
    abort.abort();
    await expect(opening).rejects.toMatchObject({ code: 'STORE_TIMEOUT', outcome: 'none', isRetryable: true });
    database.exec('commit');
    expect(await store.members()).toEqual([]);
    database.close();
  });

  it('not in WAL mode is refused, and left in its mode', async () => {
    const database = new Database(folder.path('delete.db'));
    const store = sqliteLeaseStore({ database });
    await expect(store.migrate()).rejects.toMatchObject({ code: 'STORE_REFUSED', isRetryable: false });
    await expect(store.migrate()).rejects.toThrow(/journal mode "delete" and must be in WAL mode; set it once/);
    expect(database.pragma('journal_mode', { simple: true })).toBe('delete');
    database.close();
  });

  it('that may not write is refused', async () => {
    const writable = open();
    await sqliteLeaseStore({ database: writable }).migrate();
    const database = new Database(folder.path('app.db'), { readonly: true });
    const store = sqliteLeaseStore({ database });
    // Up to date: nothing to write.
    await store.migrate();
    await expect(store.openSession(SESSION)).rejects.toMatchObject({ code: 'STORE_REFUSED', outcome: 'none' });
    database.close();
    writable.close();
  });

  it('that its owner has closed is a fault, not a crash', async () => {
    const database = open();
    const store = sqliteLeaseStore({ database });
    await store.migrate();
    database.close();
    await expect(store.members()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });

  it('prepares each statement once, however often it is run', async () => {
    const database = open();
    const store = sqliteLeaseStore({ database });
    await store.migrate();
    await store.openSession(SESSION);
    let count = 0;
    const prepare = database.prepare.bind(database);
    database.prepare = (source: string) => {
      count += 1;
      return prepare(source);
    };
    for (let i = 0; i < 20; i += 1) {
      await store.claim('s', [`g${i}`]);
      await store.heartbeat({ sessionId: 's', holders: ['s'] });
      await store.read([`g${i}`]);
      await store.release('s', [{ groupId: `g${i}`, term: 1 }]);
      await store.held('s');
      await store.members();
    }
    expect(count).toBe(0);
    database.close();
  });

  it('that its owner iterates over: a call waits until that has ended', async () => {
    const database = open();
    const store = sqliteLeaseStore({ database });
    await store.migrate();
    const rows = database.prepare('select 1 union all select 2').iterate();
    rows.next();
    const opening = store.openSession(SESSION);
    let isOpen = false;
    void opening.then(() => (isOpen = true));
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
    expect(isOpen).toBe(false);
    rows.return?.();
    await opening;
    database.close();
  });

  it('may be in memory, for one process', async () => {
    const database = new Database(':memory:');
    const store = sqliteLeaseStore({ database });
    expect(store.capabilities).toMatchObject({ durable: false, crossProcess: false });
    await store.migrate();
    await store.openSession(SESSION);
    expect(await sqliteLeaseStore({ database }).claim('s', ['g'])).toMatchObject([{ kind: 'granted', term: 1 }]);
    database.close();
  });

  it('has nothing of the store in the transactions of its owner, also while calls are waiting', async () => {
    const database = open();
    const store = sqliteLeaseStore({ database });
    await store.migrate();
    await store.openSession(SESSION);
    database.exec('create table orders (id integer)');
    const claims: Promise<unknown>[] = [];
    for (let id = 0; id < 20; id += 1) {
      claims.push(store.claim('s', [`g${id}`]));
      database.exec('begin');
      database.prepare('insert into orders values (?)').run(id);
      claims.push(store.claim('s', [`h${id}`]));
      await new Promise(setImmediate);
      database.exec(id % 2 === 0 ? 'rollback' : 'commit');
    }
    await Promise.all(claims);
    expect(database.prepare('select count(*) from orders').pluck().get()).toBe(10);
    expect(await store.held('s')).toMatchObject({ grantCount: 40 });
    database.close();
  });
});
