import type { LeaseStore } from '@wb/core';
import { Scheduler, VirtualClock } from '@wb/core/testing';
import Database from 'better-sqlite3';
import { afterEach } from 'vitest';
import { sqliteLeaseStore, type SqliteFileOptions } from '../src/index.js';
import { SqliteStore } from '../src/sqlite-lease-store.js';
import { systemEnvironment } from '../src/sqlite-options.js';
import { temporaryFolder } from './temporary-folder.js';

/** The type number of ext4. */
const LOCAL = 0xef53;

/** Several clients of one database file, and a plain connection to look into it, or to change it behind their backs. */
export interface StoreClients {
  /** Opens `count` stores over one migrated file. */
  open(count: number, options?: Omit<SqliteFileOptions, 'filename'>): Promise<[LeaseStore, ...LeaseStore[]]>;
  /** Opens one store that waits by virtual time alone: between two parts of a batch, and for a lock. */
  openStepwise(): Promise<{ readonly store: LeaseStore; readonly scheduler: Scheduler }>;
  /** A plain connection to the file. */
  database(): Database.Database;
  /** To the store: the session's time has passed. */
  expire(sessionId: string): void;
  /** To the store: the session's last heartbeat leaves it `leftMs` from now, however long the test has taken so far. */
  expireIn(sessionId: string, leftMs: number): void;
}

/** A fresh file for each test; everything is closed when the test is over. Call it once, inside `describe`. */
export function storeClients(): StoreClients {
  const folder = temporaryFolder();
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });
  const database = (): Database.Database => {
    const opened = new Database(folder.path('app.db'));
    closers.push(() => opened.close());
    return opened;
  };
  return {
    open: async (count, options = {}) => {
      const stores = Array.from({ length: count }, () => sqliteLeaseStore({ ...options, filename: folder.path('app.db') }));
      for (const store of stores) closers.push(() => store.close());
      await stores[0]!.migrate();
      return stores as readonly LeaseStore[] as [LeaseStore, ...LeaseStore[]];
    },
    openStepwise: async () => {
      const scheduler = new Scheduler();
      const environment = {
        ...systemEnvironment,
        clock: new VirtualClock(scheduler),
        random: () => 0,
        fileSystemType: () => Promise.resolve(LOCAL),
      };
      const store = new SqliteStore({ filename: folder.path('app.db') }, environment);
      closers.push(() => store.close());
      await store.migrate();
      return { store, scheduler };
    },
    database,
    expireIn: (sessionId, leftMs) => {
      database()
        .prepare("update wb_session set expires_at_ms = cast(unixepoch('subsec') * 1000 as integer) + ? where session_id = ?")
        .run(leftMs, sessionId);
    },
    expire: (sessionId) => {
      database().prepare('update wb_session set expires_at_ms = 1 where session_id = ?').run(sessionId);
    },
  };
}
