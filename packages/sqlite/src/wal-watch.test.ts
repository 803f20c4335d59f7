import type { LeaseHint, LeaseStore } from '@wb/core';
import { Scheduler, VirtualClock } from '@wb/core/testing';
import Database from 'better-sqlite3';
import { renameSync, symlinkSync } from 'node:fs';
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
    const bare = open({ namespace: 'not_there_' });
    await expect(bare.watch!(() => undefined)).rejects.toMatchObject({ code: 'STORE_NOT_MIGRATED' });
    const gone = open({ filename: folder.path('none.db'), fileMustExist: true });
    await expect(gone.watch!(() => undefined)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await bare.close();
    await expect(bare.watch!(() => undefined)).rejects.toMatchObject({ code: 'STORE_CLOSED' });
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

  it('after a change it looks again: the next one may be in the log already', async () => {
    const { scheduler, files, other, store, hints } = await bench();
    files[0]!.written();
    await scheduler.runFor(35);
    await other.claim('s', ['first']);
    await scheduler.runFor(6);
    expect(hints).toHaveLength(1);
    await other.claim('s', ['second']);
    await scheduler.runFor(10);
    expect(hints).toHaveLength(2);
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
    expect(looks).toBe(5);
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
