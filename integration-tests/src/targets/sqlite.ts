import type { ConformanceTarget } from '@wb/conformance';
import { sqliteLeaseStore } from '@wb/sqlite';
import { rm } from 'node:fs/promises';
import Database from 'better-sqlite3';
import { join } from 'node:path';
import { sqliteFolder } from './sqlite-folder.js';
import { sqliteNotes } from './sqlite-notes.js';

const sessionRetentionMs = 1_000;

/** A file for each namespace, as a target of the conformance suite. */
const target: ConformanceTarget = {
  name: 'sqlite',
  // The built one, also when a test imports this file's source.
  module: new URL('../../dist/targets/sqlite.js', import.meta.url).href,
  sessionRetentionMs,
  open: (namespace) => sqliteLeaseStore({ filename: join(sqliteFolder(), `${namespace}.db`), sessionRetentionMs }),
  notes: sqliteNotes((namespace) => new Database(join(sqliteFolder(), `${namespace}.db`), { timeout: 5_000 })),
  drop: async (namespace) => {
    for (const end of ['', '-wal', '-shm']) await rm(join(sqliteFolder(), `${namespace}.db${end}`), { force: true });
  },
};

export default target;
