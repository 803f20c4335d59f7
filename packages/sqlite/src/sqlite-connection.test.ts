import { StoreError } from '@wb/core';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../test-support/temporary-folder.js';
import { sqliteLeaseStore } from './index.js';
import { openConnection } from './open-connection.js';
import { SqliteConnection } from './sqlite-connection.js';
import { sqliteSchema } from './sqlite-schema.js';
import { compileStoreSql } from './sqlite-statements.js';
import type { UserDatabase } from './user-database.js';

const SESSION = { sessionId: 's', memberId: 'm', ttlMs: 60_000 };
const storeSql = compileStoreSql(sqliteSchema('wb_').db, 'wb_');

/** A handle on which some statements and pragmas fail. */
function failing(handle: Database.Database, fails: (source: string) => unknown): UserDatabase {
  const strike = (source: string): void => {
    const error = fails(source);
    if (error instanceof Error) throw error;
  };
  return {
    name: handle.name,
    memory: handle.memory,
    get open() {
      return handle.open;
    },
    get inTransaction() {
      return handle.inTransaction;
    },
    prepare: (source) => {
      const native = handle.prepare(source);
      return {
        run: (...values) => {
          strike(source);
          return native.run(...values);
        },
        get: (...values) => native.get(...values),
        all: (...values) => native.all(...values),
        safeIntegers: (isOn) => native.safeIntegers(isOn),
      };
    },
    pragma: (source, options) => {
      strike(`pragma ${source}`);
      return handle.pragma(source, options);
    },
  };
}

const native = (code: string): Error => Object.assign(new Error('it failed'), { code });

function faultOf(run: () => unknown): StoreError {
  try {
    run();
  } catch (error) {
    if (error instanceof StoreError) return error;
    throw error;
  }
  throw new Error('it went well');
}

describe('a connection', () => {
  const folder = temporaryFolder();

  function open(): Database.Database {
    const database = new Database(folder.path('app.db'));
    database.pragma('journal_mode = wal');
    database.pragma('busy_timeout = 1234');
    database.exec('create table if not exists facts (n integer)');
    return database;
  }

  it('never lets the driver wait for a lock, whoever owns the handle', () => {
    const database = open();
    const users = new SqliteConnection(database, null, storeSql);
    const own = openConnection(
      { kind: 'file', filename: folder.path('app.db') },
      { path: folder.path('app.db'), identity: null },
      storeSql,
    ).connection;
    for (const connection of [users, own]) {
      for (const durability of ['read', 'fast', 'durable'] as const) {
        expect(connection.withHandle('test', durability, (handle) => handle.pragma('busy_timeout', { simple: true }))).toBe(0);
      }
    }
    expect(database.pragma('busy_timeout', { simple: true })).toBe(1234);
    own.close();
    users.close();
    expect(database.open).toBe(true);
    database.close();
  });

  it.each([
    // What the owner has set; what a fast and a durable commit are made with.
    ['OFF', 1, 2],
    ['NORMAL', 1, 2],
    ['FULL', 1, 2],
    ['EXTRA', 1, 3],
  ])('commits with the synchronous level that it needs, from %s', (level, fast, durable) => {
    const database = open();
    database.pragma(`synchronous = ${level}`);
    const before = database.pragma('synchronous', { simple: true });
    const connection = new SqliteConnection(database, null, storeSql);
    const levelIn = (durability: 'read' | 'fast' | 'durable'): unknown =>
      connection.transactRaw('test', durability, (handle) => handle.pragma('synchronous', { simple: true }));
    expect([levelIn('read'), levelIn('fast'), levelIn('durable')]).toEqual([before, fast, durable]);
    expect(database.pragma('synchronous', { simple: true })).toBe(before);
    database.close();
  });

  it('of our own commits with the same levels', () => {
    const { connection } = openConnection(
      { kind: 'file', filename: folder.path('app.db') },
      { path: folder.path('app.db'), identity: null },
      storeSql,
    );
    const levelIn = (durability: 'fast' | 'durable'): unknown =>
      connection.transactRaw('test', durability, (handle) => handle.pragma('synchronous', { simple: true }));
    expect([levelIn('fast'), levelIn('durable'), levelIn('fast')]).toEqual([1, 2, 1]);
    connection.close();
  });

  it('makes grants, releases, openings and closings durable, and heartbeats and contentions fast', async () => {
    const log: string[] = [];
    const database = new Database(folder.path('app.db'), { verbose: (text) => log.push(String(text)) });
    database.pragma('journal_mode = wal');
    const store = sqliteLeaseStore({ database });
    const levelOf = async (call: () => Promise<unknown>): Promise<string | undefined> => {
      database.pragma('synchronous = OFF');
      log.length = 0;
      await call();
      return log.slice(0, log.indexOf('commit')).findLast((text) => /synchronous = /i.test(text));
    };
    const levels: Record<string, string | undefined> = {
      migrate: await levelOf(() => store.migrate()),
      openSession: await levelOf(() => store.openSession(SESSION)),
      claim: await levelOf(() => store.claim('s', ['g'])),
      release: await levelOf(() => store.release('s', [{ groupId: 'g', term: 1 }])),
      heartbeat: await levelOf(() => store.heartbeat({ sessionId: 's', holders: [] })),
      contend: await levelOf(() => store.contend('s', ['g'])),
      withdraw: await levelOf(() => store.withdraw('s', ['g'])),
      read: await levelOf(() => store.read(['g'])),
      closeSession: await levelOf(() => store.closeSession('s')),
    };
    const [full, normal] = ['PRAGMA synchronous = 2', 'PRAGMA synchronous = 1'];
    expect(levels).toEqual({
      migrate: full,
      openSession: full,
      claim: full,
      release: full,
      heartbeat: normal,
      contend: normal,
      withdraw: normal,
      read: undefined,
      closeSession: full,
    });
    database.close();
  });

  it('T5: what fails before the commit is rolled back, and has done nothing', () => {
    const database = open();
    const connection = new SqliteConnection(database, null, storeSql);
    const error = faultOf(() =>
      connection.transactRaw('test', 'durable', (handle) => {
        handle.prepare('insert into facts values (1)').run();
        throw native('SQLITE_IOERR_WRITE');
      }),
    );
    expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', outcome: 'none' });
    expect(database.inTransaction).toBe(false);
    expect(database.prepare('select count(*) from facts').pluck().get()).toBe(0);
    database.close();
  });

  it.each([
    ['SQLITE_IOERR_FSYNC', 'STORE_UNAVAILABLE', 'unknown'],
    ['SQLITE_FULL', 'STORE_REFUSED', 'unknown'],
    ['SQLITE_BUSY', 'STORE_BUSY', 'none'],
  ])('T5: a commit that fails with %s is %s with outcome %s, and leaves no transaction behind', (code, expected, outcome) => {
    const database = open();
    const handle = failing(database, (source) => source === 'commit' && native(code));
    const connection = new SqliteConnection(handle, null, storeSql);
    expect(faultOf(() => connection.transactRaw('test', 'durable', () => undefined))).toMatchObject({ code: expected, outcome });
    expect(database.inTransaction).toBe(false);
    database.close();
  });

  it('T5: a read that fails at its end has done nothing', () => {
    const database = open();
    const handle = failing(database, (source) => source === 'commit' && native('SQLITE_IOERR_READ'));
    const connection = new SqliteConnection(handle, null, storeSql);
    expect(faultOf(() => connection.transactRaw('test', 'read', () => undefined)).outcome).toBe('none');
    database.close();
  });

  it('a rollback that fails, too, is told with both faults, and is no certain "no"', () => {
    const database = open();
    const handle = failing(database, (source) => source === 'rollback' && native('SQLITE_IOERR'));
    const connection = new SqliteConnection(handle, null, storeSql);
    const error = faultOf(() =>
      connection.transactRaw('test', 'durable', () => {
        throw native('SQLITE_FULL');
      }),
    );
    expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', outcome: 'unknown', cause: { code: 'STORE_REFUSED' } });
    expect(error.message).toMatch(/could not be rolled back: .*it failed.*; before that: .*SQLITE_FULL/);
    database.close();
  });

  it("gives the owner's pragmas back also when setting one of them fails", () => {
    const database = open();
    database.pragma('synchronous = OFF');
    const handle = failing(database, (source) => source === 'pragma synchronous = 2' && native('SQLITE_NOMEM'));
    const connection = new SqliteConnection(handle, null, storeSql);
    expect(faultOf(() => connection.transactRaw('test', 'durable', () => undefined)).code).toBe('STORE_FAULT');
    expect(database.pragma('busy_timeout', { simple: true })).toBe(1234);
    database.close();
  });
});
