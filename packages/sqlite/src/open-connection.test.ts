import Database from 'better-sqlite3';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../test-support/temporary-folder.js';
import { sqliteLeaseStore } from './index.js';

const SESSION = { sessionId: 's', memberId: 'm', ttlMs: 60_000 };

describe('the file of the database', () => {
  const folder = temporaryFolder();

  it('that is damaged is a fault that stays, and a new one in its place is used', async () => {
    const filename = folder.path('app.db');
    const store = sqliteLeaseStore({ filename });
    await store.migrate();
    await store.openSession(SESSION);
    await store.claim(
      's',
      Array.from({ length: 2_000 }, (_, at) => `group ${at}`),
    );
    await store.close();
    const bytes = readFileSync(filename);
    // All but the header and the list of tables.
    bytes.fill(0xff, 4_096);
    writeFileSync(filename, bytes);
    const again = sqliteLeaseStore({ filename });
    await expect(again.claim('s', ['group 7'])).rejects.toMatchObject({ code: 'STORE_FAULT', isRetryable: false, outcome: 'none' });
    for (const end of ['', '-wal', '-shm']) rmSync(filename + end, { force: true });
    await again.migrate();
    expect(await again.claim('s', ['group 7'])).toMatchObject([{ reason: 'session-dead' }]);
    await again.close();
  });

  it('that is a folder is a fault that may pass', async () => {
    mkdirSync(folder.path('app.db'));
    const store = sqliteLeaseStore({ filename: folder.path('app.db') });
    await expect(store.migrate()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', isRetryable: true, outcome: 'none' });
    await store.close();
  });

  it('of somebody else, in another journal mode, is brought into WAL mode with all that is in it', async () => {
    const filename = folder.path('app.db');
    const theirs = new Database(filename);
    theirs.exec('create table orders (id integer); insert into orders values (7)');
    theirs.close();
    const store = sqliteLeaseStore({ filename });
    await store.migrate();
    const database = new Database(filename);
    expect(database.pragma('journal_mode', { simple: true })).toBe('wal');
    expect(database.prepare('select id from orders').pluck().all()).toEqual([7]);
    database.close();
    await store.close();
  });

  it('is neither created nor changed for those who only look', async () => {
    const filename = folder.path('app.db');
    const looking = sqliteLeaseStore({ filename, fileMustExist: true });
    await expect(looking.read(['g'])).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', isRetryable: true, outcome: 'none' });
    expect(existsSync(filename)).toBe(false);
    const theirs = new Database(filename);
    theirs.exec('create table orders (id integer)');
    theirs.close();
    const bytes = readFileSync(filename);
    await expect(looking.read(['g'])).rejects.toMatchObject({ code: 'STORE_NOT_MIGRATED' });
    expect(await looking.migrationSql!()).not.toEqual([]);
    await looking.diagnose!();
    expect(readFileSync(filename).equals(bytes)).toBe(true);
    const using = sqliteLeaseStore({ filename });
    await using.migrate();
    expect(await looking.read(['g'])).toMatchObject([{ groupId: 'g', holder: null }]);
    await using.close();
    await looking.close();
  });

  it('that another connection uses in another journal mode is waited for', async () => {
    const filename = folder.path('app.db');
    const theirs = new Database(filename);
    theirs.exec('create table orders (id integer); begin; insert into orders values (7)');
    const store = sqliteLeaseStore({ filename });
    let isDone = false;
    const migrating = store.migrate().then(() => (isDone = true));
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
    expect(isDone).toBe(false);
    theirs.exec('commit');
    theirs.close();
    await migrating;
    await store.close();
  });

  it('is found by its path as it was when the store was made, wherever the process goes', async () => {
    const home = process.cwd();
    process.chdir(folder.path('.'));
    try {
      const store = sqliteLeaseStore({ filename: 'app.db' });
      mkdirSync('elsewhere');
      process.chdir('elsewhere');
      await store.migrate();
      await store.close();
      expect(() => readFileSync(folder.path('app.db'))).not.toThrow();
    } finally {
      process.chdir(home);
    }
  });

  it('behind a link is the file that the link leads to; a link that leads elsewhere is noticed', async () => {
    for (const name of ['one.db', 'two.db']) {
      const made = sqliteLeaseStore({ filename: folder.path(name) });
      await made.migrate();
      await made.close();
    }
    symlinkSync(folder.path('one.db'), folder.path('link.db'));
    const [direct, linked] = [
      sqliteLeaseStore({ filename: folder.path('one.db') }),
      sqliteLeaseStore({ filename: folder.path('link.db') }),
    ];
    await direct.openSession(SESSION);
    expect((await linked.heartbeat({ sessionId: 's', holders: [] })).alive).toBe(true);
    rmSync(folder.path('link.db'));
    symlinkSync(folder.path('two.db'), folder.path('link.db'));
    await expect.poll(() => linked.members().catch((error: unknown) => error)).toMatchObject({ code: 'STORE_UNAVAILABLE' });
    expect(await linked.members()).toEqual([]);
    await direct.close();
    await linked.close();
  });

  it("T6: replaced under the user's own handle stays a fault: the handle cannot be opened again, and must not work on in the old file", async () => {
    const filename = folder.path('app.db');
    const database = new Database(filename);
    database.pragma('journal_mode = wal');
    const store = sqliteLeaseStore({ database });
    await store.migrate();
    await store.openSession(SESSION);
    const other = sqliteLeaseStore({ filename: folder.path('other.db') });
    await other.migrate();
    await other.close();
    for (const end of ['-wal', '-shm']) rmSync(filename + end, { force: true });
    renameSync(folder.path('other.db'), filename);
    const beat = (): Promise<unknown> => store.heartbeat({ sessionId: 's', holders: [] }).catch((error: unknown) => error);
    await expect.poll(beat).toMatchObject({ code: 'STORE_UNAVAILABLE' });
    for (let times = 0; times < 3; times += 1) expect(await beat()).toMatchObject({ code: 'STORE_UNAVAILABLE' });
    database.close();
    await store.close();
  });

  it("T6: deleted under the user's own handle before the first call is noticed, too", async () => {
    const database = new Database(folder.path('app.db'));
    database.pragma('journal_mode = wal');
    const store = sqliteLeaseStore({ database });
    rmSync(folder.path('app.db'));
    await expect(store.migrate()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', outcome: 'none' });
    await expect(sqliteLeaseStore({ database }).migrate()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    database.close();
  });
});
