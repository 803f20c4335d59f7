import type { LeaseHint, LeaseStore } from '@wb/core';
import { Scheduler, VirtualClock } from '@wb/core/testing';
import Database from 'better-sqlite3';
import { existsSync, mkdirSync, readdirSync, renameSync, symlinkSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { temporaryFolder } from '../test-support/temporary-folder.js';
import { sqliteLeaseStore, type SqliteFileOptions } from './index.js';
import { SqliteStore } from './sqlite-lease-store.js';
import { systemEnvironment } from './sqlite-options.js';

/** Longer than any look takes to come, however busy the machine is. */
const SOON = { timeout: 5_000, interval: 2 };
const SESSION = { sessionId: 's', memberId: 'm', ttlMs: 600_000 };

describe('hints of a file', () => {
  const folder = temporaryFolder();
  const stores: LeaseStore[] = [];
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.close();
  });

  function open(options: Partial<SqliteFileOptions> = {}): LeaseStore {
    return use(sqliteLeaseStore({ filename: folder.path('app.db'), ...options }));
  }

  function use(store: LeaseStore): LeaseStore {
    stores.push(store);
    return store;
  }

  async function holder(): Promise<LeaseStore> {
    const store = open();
    await store.migrate();
    await store.openSession(SESSION);
    return store;
  }

  async function watched(store: LeaseStore): Promise<LeaseHint[]> {
    const hints: LeaseHint[] = [];
    await store.watch!((hint) => hints.push(hint));
    return hints;
  }

  it('W1: all who watch are told of each grant, release, request to resign and close of anybody, by name', async () => {
    const store = await holder();
    // The store's own changes, too: another coordinator may use the same.
    const told = [await watched(open()), await watched(open()), await watched(store)];
    const follows = async (change: () => Promise<unknown>, expected: readonly LeaseHint[]): Promise<void> => {
      for (const hints of told) hints.length = 0;
      await change();
      await vi.waitFor(() => expect(told).toEqual(told.map(() => expected)), SOON);
    };
    await follows(() => store.claim('s', ['a', 'b']), [{ groupIds: ['a', 'b'] }]);
    await follows(() => store.release('s', [{ groupId: 'a', term: 1 }]), [{ groupIds: ['a'], freed: true }, { groupIds: ['b'] }]);
    await follows(
      () => store.requestResign!('b'),
      [{ groupIds: ['a'], freed: true }, { groupIds: ['b'] }, { groupIds: ['b'], resign: true }],
    );
    await follows(() => store.closeSession('s'), [{ groupIds: ['a', 'b'], freed: true }]);
  });

  it('W1: a heartbeat, a session, a contender, a refused claim and one that changes nothing are no changes', async () => {
    const store = await holder();
    const hints = await watched(open());
    await store.claim('s', ['group']);
    await vi.waitFor(() => expect(hints).toEqual([{ groupIds: ['group'] }]), SOON);
    await store.openSession({ ...SESSION, sessionId: 'rival' });
    await store.contend('rival', ['group']);
    await store.claim('rival', ['group']);
    await store.claim('s', ['group']);
    await store.heartbeat({ sessionId: 's', holders: [] });
    await store.release('s', [{ groupId: 'group', term: 7 }]);
    // Looks come in order: this change is seen after all the others would have been.
    await store.release('s', [{ groupId: 'group', term: 1 }]);
    await vi.waitFor(() => expect(hints).toHaveLength(2), SOON);
    expect(hints.at(-1)).toEqual({ groupIds: ['group'], freed: true });
  });

  it('F7: names of 255 odd characters come back in hints as they are', async () => {
    const name = `'"[1]\\ %_ß😀\u{10ffff}`.padEnd(255, 'é');
    const store = await holder();
    await store.openSession({ ...SESSION, sessionId: name });
    const hints = await watched(open());
    await store.claim(name, [name]);
    await vi.waitFor(() => expect(hints).toEqual([{ groupIds: [name] }]), SOON);
    await store.closeSession(name);
    await vi.waitFor(() => expect(hints.at(-1)).toEqual({ groupIds: [name], freed: true }), SOON);
  });

  it('W1: a change of more groups than a hint names is a hint without names', async () => {
    const store = await holder();
    const hints = await watched(open());
    await store.claim(
      's',
      Array.from({ length: 501 }, (_group, at) => `group-${at}`),
    );
    await vi.waitFor(() => expect(hints.at(-1)).toEqual({}), SOON);
  });

  it('W1: the log of the file that a link leads to is watched, also for a handle of the user’s', async () => {
    const store = await holder();
    symlinkSync(folder.path('app.db'), folder.path('link.db'));
    const handle = new Database(folder.path('link.db'));
    const told = [await watched(open({ filename: folder.path('link.db') })), await watched(use(sqliteLeaseStore({ database: handle })))];
    await store.claim('s', ['group']);
    await vi.waitFor(() => expect(told).toEqual(told.map(() => [{ groupIds: ['group'] }])), SOON);
    for (const each of stores.splice(0)) await each.close();
    handle.close();
  });

  it('W1: a file that was replaced is watched anew, and what changed meanwhile is a hint without names', async () => {
    await holder();
    const hints = await watched(open());
    for (const name of ['app.db', 'app.db-wal', 'app.db-shm']) renameSync(folder.path(name), folder.path(`old-${name}`));
    const store = await holder();
    await vi.waitFor(() => expect(hints).toEqual([{}]), SOON);
    await store.claim('s', ['group']);
    await vi.waitFor(() => expect(hints.at(-1)).toEqual({ groupIds: ['group'] }), SOON);
  });

  it('a watch of tables that are not there, of a file that is not, and of a closed store fails', async () => {
    await holder();
    const bare = open({ namespace: 'not_there_' });
    await expect(bare.watch!(() => undefined)).rejects.toMatchObject({ code: 'STORE_NOT_MIGRATED' });
    const gone = open({ filename: folder.path('none.db'), fileMustExist: true });
    await expect(gone.watch!(() => undefined)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await bare.close();
    await expect(bare.watch!(() => undefined)).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  });

  it('W1: a session that was closed and pruned in between is a change', async () => {
    const store = await holder();
    await store.claim('s', ['group']);
    const hints = await watched(open());
    const behind = new Database(folder.path('app.db'));
    behind.exec("begin; update wb_lease set session_id = null; delete from wb_session where session_id = 's'; commit");
    behind.close();
    await vi.waitFor(() => expect(hints).toEqual([{ groupIds: ['group'], freed: true }]), SOON);
  });

  it('F19: one session that is pruned and one that is granted as much do not make up for each other', async () => {
    const store = await holder();
    await store.claim('s', ['group']);
    await store.closeSession('s');
    const hints = await watched(open());
    const behind = new Database(folder.path('app.db'));
    behind.exec(`begin; delete from wb_session;
      insert into wb_session (session_id, member_id, ttl_ms, opened_at_ms, expires_at_ms, closed, grant_count, release_count, metadata)
        values ('next', 'm', 600000, unixepoch() * 1000 + 5000, unixepoch() * 1000 + 600000, 2, 1, 0, '{}');
      update wb_lease set session_id = 'next'; commit`);
    behind.close();
    await vi.waitFor(() => expect(hints).toHaveLength(1), SOON);
  });

  it('the file is the one that was meant when the store was made, and a watch neither creates nor changes it', async () => {
    await holder();
    const [before, elsewhere] = [process.cwd(), folder.path('elsewhere')];
    mkdirSync(elsewhere);
    process.chdir(folder.path('.'));
    try {
      const store = open({ filename: 'app.db' });
      process.chdir(elsewhere);
      await watched(store);
      expect(readdirSync(elsewhere)).toEqual([]);
    } finally {
      process.chdir(before);
    }
    const handle = new Database(folder.path('rollback.db'));
    handle.exec('create table note (text)');
    await expect(watched(use(sqliteLeaseStore({ database: handle })))).rejects.toMatchObject({ code: 'STORE_REFUSED', isRetryable: false });
    expect(handle.pragma('journal_mode', { simple: true })).toBe('delete');
    handle.close();
  });

  it('a file that was moved away is not made again, neither by the watch nor by a fenced transaction', async () => {
    await (await holder()).claim('s', ['group']);
    const handle = new Database(folder.path('app.db'));
    const store = use(sqliteLeaseStore({ database: handle }));
    const hints = await watched(store);
    for (const name of ['app.db', 'app.db-wal', 'app.db-shm']) renameSync(folder.path(name), folder.path(`old-${name}`));
    const lease = { groupId: 'group', term: 1, sessionId: 's' };
    await expect(store.fenced!(lease, () => undefined)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    // Some attempts to follow it again.
    await pause(500);
    expect(existsSync(folder.path('app.db'))).toBe(false);
    expect(hints).toEqual([]);
    handle.close();
  });

  it('can be turned off; in memory there are none', () => {
    for (const store of [open({ hints: false }), open({ filename: ':memory:' })]) {
      expect(store.capabilities.watch).toBe(false);
      expect(store.watch).toBeUndefined();
    }
  });
});

describe('when the log is looked at', () => {
  const folder = temporaryFolder();

  /** A store that is told of writes by hand and waits by virtual time, and one that changes the file. */
  async function bench() {
    const scheduler = new Scheduler();
    const clock = new VirtualClock(scheduler);
    const files: { readonly path: string; readonly written: () => void; readonly end: (cause: unknown) => void; isClosed: boolean }[] = [];
    const environment = {
      ...systemEnvironment,
      clock,
      random: () => 0,
      fileSystemType: () => Promise.resolve(0xef53),
      watchFile: (path: string, written: () => void, end: (cause: unknown) => void): { close(): void } => {
        const file = { path, written, end, isClosed: false };
        files.push(file);
        return { close: () => (file.isClosed = true) };
      },
    };
    const other = sqliteLeaseStore({ filename: folder.path('app.db') });
    await other.migrate();
    await other.openSession(SESSION);
    const store = new SqliteStore({ filename: folder.path('app.db') }, environment);
    const hints: LeaseHint[] = [];
    const watch = await store.watch!((hint) => hints.push(hint));
    return { scheduler, files, other, store, hints, watch };
  }

  it('a commit that counts only some time after it was written is seen', async () => {
    const { scheduler, files, other, store, hints } = await bench();
    files[0]!.written();
    await scheduler.runFor(35);
    await other.claim('s', ['late']);
    await scheduler.runFor(10);
    expect(hints).toEqual([{ groupIds: ['late'] }]);
    await Promise.all([store.close(), other.close()]);
  });

  it('while writes come one after the other and change nothing, it looks less and less often; after a change, and after some calm, soon again', async () => {
    const { scheduler, files, other, store, hints } = await bench();
    const behind = new Database(folder.path('app.db'));
    // A heartbeat in the same ms as the one before would write nothing.
    const beat = behind.prepare('update wb_session set expires_at_ms = expires_at_ms + 1');
    let looks = 0;
    const beatFor = async (durationMs: number, everyMs = 5): Promise<void> => {
      looks = 0;
      for (let ms = 0; ms < durationMs; ms += everyMs) {
        beat.run();
        files[0]!.written();
        await scheduler.runFor(everyMs, () => (looks += 1));
      }
    };
    const afterMs = async (groupId: string): Promise<number> => {
      const count = hints.length;
      await other.claim('s', [groupId]);
      files[0]!.written();
      const fromMs = scheduler.nowMs;
      while (hints.length === count) await scheduler.step();
      return scheduler.nowMs - fromMs;
    };
    expect(await afterMs('a')).toBeLessThan(2);
    await beatFor(300);
    expect(looks).toBeLessThan(20);
    await afterMs('b');
    expect(await afterMs('c')).toBeLessThan(2);
    await beatFor(300);
    await scheduler.runFor(500);
    expect(await afterMs('d')).toBeLessThan(2);
    // The heartbeats of a few processes come one by one.
    await beatFor(3_000, 100);
    expect(await afterMs('e')).toBeLessThan(2);
    behind.close();
    await Promise.all([store.close(), other.close()]);
  });

  it('writes without a pause do not put it off', async () => {
    const { scheduler, files, other, store, hints } = await bench();
    await other.claim('s', ['group']);
    for (let at = 0; at < 10; at += 1) {
      files[0]!.written();
      await scheduler.runFor(0.25);
    }
    expect(hints).toHaveLength(1);
    await Promise.all([store.close(), other.close()]);
  });

  it('nothing is done while nobody writes', async () => {
    const { scheduler, files, other, store } = await bench();
    expect(await scheduler.step()).toBe(false);
    files[0]!.written();
    let looks = 0;
    while (await scheduler.step()) looks += 1;
    expect(looks).toBe(6);
    await Promise.all([store.close(), other.close()]);
  });

  it('a log that can be followed no more is followed anew after a pause; with the last watch it ends', async () => {
    const { scheduler, files, other, store, hints, watch } = await bench();
    files[0]!.end(new Error('moved'));
    await scheduler.runFor(200);
    expect(files.map(({ isClosed }) => isClosed)).toEqual([true, false]);
    expect(hints).toEqual([{}]);
    await watch[Symbol.asyncDispose]();
    expect(files[1]!.isClosed).toBe(true);
    expect(await scheduler.step()).toBe(false);
    await Promise.all([store.close(), other.close()]);
  });
});
