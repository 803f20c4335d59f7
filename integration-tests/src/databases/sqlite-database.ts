import { sqliteLeaseStore } from '@wb/sqlite';
import Database from 'better-sqlite3';
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestDatabase } from './test-database.js';

/** Files in a folder of their own, which can be moved away, or locked by somebody else. */
export function sqliteDatabase(): TestDatabase {
  const root = mkdtempSync(join(tmpdir(), 'wb-faults-'));
  const folder = join(root, 'there');
  const sessionRetentionMs = 500;
  const open: TestDatabase['open'] = (namespace) => sqliteLeaseStore({ filename: join(folder, 'wb.db'), namespace, sessionRetentionMs });
  const away = join(root, 'away');
  renameSync(mkdtempSync(join(root, 'new-')), folder);
  return {
    sessionRetentionMs,
    open,
    sessionRows: (namespace) => {
      const database = new Database(join(folder, 'wb.db'), { readonly: true });
      const count = database.prepare(`select count(*) from ${namespace}session`).pluck().get() as number;
      database.close();
      return Promise.resolve(count);
    },
    way: (namespace) => {
      let holder: Database.Database | null = null;
      return Promise.resolve({
        open: () => open(namespace),
        takeAway: async () => renameSync(folder, away),
        bringBack: async () => renameSync(away, folder),
        hold: async () => {
          holder = new Database(join(folder, 'wb.db'));
          holder.exec('begin immediate');
        },
        letGo: async () => {
          holder?.close();
          holder = null;
        },
        connectionCount: () => null,
        [Symbol.asyncDispose]: () => Promise.resolve(holder?.close() as undefined),
      });
    },
    drop: () => {
      rmSync(root, { recursive: true, force: true });
      return Promise.resolve();
    },
  };
}
