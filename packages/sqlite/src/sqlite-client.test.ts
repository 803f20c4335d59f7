import { StoreError } from '@wb/core';
import Database from 'better-sqlite3';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../test-support/temporary-folder.js';
import { sqliteLeaseStore } from './index.js';
import { SqliteStore } from './sqlite-lease-store.js';
import { systemEnvironment } from './sqlite-options.js';

const SESSION = { sessionId: 's', memberId: 'm', ttlMs: 60_000 };

describe('a database that somebody else writes to', () => {
  const folder = temporaryFolder();

  it('keeps a call waiting with the event loop running, and lets it in when the lock is free', async () => {
    const filename = folder.path('app.db');
    const store = sqliteLeaseStore({ filename });
    await store.migrate();
    const other = new Database(filename);
    other.exec('begin immediate');
    let isDone = false;
    const opening = store.openSession(SESSION).then(() => {
      isDone = true;
    });
    // Everything that waits here gets its turn: the loop is free.
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
    expect(isDone).toBe(false);
    other.exec('commit');
    await opening;
    expect((await store.members()).length).toBe(1);
    other.close();
    await store.close();
  });

  it('T5: the call ends with its signal, at once, and has done nothing', async () => {
    const filename = folder.path('app.db');
    const store = sqliteLeaseStore({ filename });
    await store.migrate();
    const other = new Database(filename);
    other.exec('begin immediate');
    const abort = new AbortController();
    const calls = [
      store.openSession(SESSION, { signal: abort.signal }),
      store.claim('s', ['g'], { signal: abort.signal }),
      store.heartbeat({ sessionId: 's', holders: [] }, { signal: abort.signal }),
    ];
    const settled = Promise.allSettled(calls);
    await new Promise(setImmediate);
    abort.abort(new Error('too late'));
    for (const result of await settled) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'STORE_TIMEOUT', outcome: 'none', isRetryable: true } });
      expect(Reflect.get(result, 'reason')).toBeInstanceOf(StoreError);
    }
    other.exec('rollback');
    expect(await store.members()).toEqual([]);
    other.close();
    await store.close();
  });

  it('reads go on meanwhile', async () => {
    const filename = folder.path('app.db');
    const store = sqliteLeaseStore({ filename });
    await store.migrate();
    await store.openSession(SESSION);
    const other = new Database(filename);
    other.exec('begin immediate');
    expect((await store.members()).length).toBe(1);
    expect(await store.read(['g'])).toEqual([{ groupId: 'g', term: 0, holder: null, contenderCount: 0 }]);
    other.close();
    await store.close();
  });

  it('close() wakes those who wait', async () => {
    const filename = folder.path('app.db');
    const store = sqliteLeaseStore({ filename });
    await store.migrate();
    const other = new Database(filename);
    other.exec('begin immediate');
    const opening = store.openSession(SESSION);
    await new Promise(setImmediate);
    await store.close();
    await expect(opening).rejects.toMatchObject({ code: 'STORE_CLOSED', outcome: 'none' });
    other.close();
  });
});

describe('the place of the database', () => {
  const folder = temporaryFolder();

  it('a folder that does not exist is a fault that may pass', async () => {
    const store = sqliteLeaseStore({ filename: folder.path('missing/app.db') });
    await expect(store.migrate()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', isRetryable: true, outcome: 'none' });
    mkdirSync(folder.path('missing'));
    await store.migrate();
    await store.close();
  });

  it('a file that is no database, or a damaged one, is a fault that stays', async () => {
    writeFileSync(
      folder.path('text.db'),
      'this is a letter to a friend, and not a database at all; it is long enough to have a header of a hundred bytes',
    );
    const store = sqliteLeaseStore({ filename: folder.path('text.db') });
    await expect(store.migrate()).rejects.toMatchObject({ code: 'STORE_FAULT', isRetryable: false });
    await store.close();
  });

  it.each([
    [0x6969, 'NFS'],
    [0xff534d42, 'CIFS'],
    [0x01021997, '9P'],
    [0xff534d42 | 0, 'CIFS'],
  ])('a network file system (%d) is refused by its name', async (type, name) => {
    const store = new SqliteStore(
      { filename: folder.path('app.db') },
      { ...systemEnvironment, fileSystemType: () => Promise.resolve(type) },
    );
    await expect(store.migrate()).rejects.toMatchObject({ code: 'STORE_REFUSED', isRetryable: false });
    await expect(store.migrate()).rejects.toThrow(`is on a network file system (${name})`);
    await store.close();
  });

  it('T5: one that cannot even be looked at does not hang the call', async () => {
    const abort = new AbortController();
    const store = new SqliteStore(
      { filename: folder.path('app.db') },
      { ...systemEnvironment, fileSystemType: () => new Promise(() => undefined) },
    );
    const migrating = store.migrate({ signal: abort.signal });
    await new Promise(setImmediate);
    abort.abort();
    await expect(migrating).rejects.toMatchObject({ code: 'STORE_TIMEOUT', outcome: 'none' });
    await store.close();
  });

  it.each(['replaced', 'deleted'])('a file that was %s under the store is noticed, and the next call opens what is there', async (how) => {
    const filename = folder.path('app.db');
    const store = sqliteLeaseStore({ filename });
    await store.migrate();
    await store.openSession(SESSION);
    for (const end of ['', '-wal', '-shm']) rmSync(filename + end, { force: true });
    if (how === 'replaced') {
      const other = sqliteLeaseStore({ filename: folder.path('other.db') });
      await other.migrate();
      await other.close();
      renameSync(folder.path('other.db'), filename);
    }
    // Looked at now and then, not with every call.
    await expect
      .poll(() => store.heartbeat({ sessionId: 's', holders: [] }).catch((error: unknown) => error))
      .toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await store.migrate();
    expect((await store.heartbeat({ sessionId: 's', holders: [] })).alive).toBe(false);
    await store.close();
  });
});
