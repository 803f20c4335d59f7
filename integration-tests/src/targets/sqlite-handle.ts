import type { ConformanceTarget } from '@wb/conformance';
import { TABLE_NAMES } from '@wb/sql';
import { sqliteLeaseStore } from '@wb/sqlite';
import Database from 'better-sqlite3';
import { join } from 'node:path';
import { sqliteFolder } from './sqlite-folder.js';
import { sqliteNotes } from './sqlite-notes.js';

const sessionRetentionMs = 1_000;

/** Handles of the user's over one file, with the settings that are the worst for the store; all namespaces are in that file. */
const target: ConformanceTarget = {
  name: 'sqlite, with handles',
  module: new URL('../../dist/targets/sqlite-handle.js', import.meta.url).href,
  sessionRetentionMs,
  open: (namespace) => {
    const database = open();
    database.pragma('synchronous = OFF');
    database.defaultSafeIntegers(true);
    const store = sqliteLeaseStore({ database, namespace, sessionRetentionMs });
    const close = store.close.bind(store);
    // The store does not close what is not its own.
    store.close = async () => {
      await close();
      database.close();
    };
    return store;
  },
  notes: sqliteNotes(() => open()),
  drop: (namespace) => {
    const database = open();
    for (const table of [...TABLE_NAMES, 'note']) database.exec(`drop table if exists ${namespace}${table}`);
    database.close();
  },
};

function open(): Database.Database {
  const database = new Database(join(sqliteFolder(), 'handles.db'), { timeout: 5_000 });
  database.pragma('journal_mode = wal');
  return database;
}

export default target;
