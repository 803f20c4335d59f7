import type { SqliteTransaction } from '@wb/sqlite';
import Database from 'better-sqlite3';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from './open-store.js';
import { replaySqlite } from './replay-sqlite.js';
import type { BareClient, BenchDatabase } from './bench-database.js';

/** SQLite, a file for each namespace. */
export function startSqlite(): BenchDatabase {
  const folder = mkdtempSync(join(tmpdir(), 'wb-bench-'));
  const filename = join(folder, 'bench.db');
  const probe = new Database(filename);
  const version = probe.prepare('select sqlite_version()').pluck().get() as string;
  probe.pragma('journal_mode = wal');
  probe.close();
  return {
    name: 'sqlite',
    title: `SQLite ${version} (a file in ${tmpdir()}; WAL, durable commits)`,
    url: `sqlite:${filename}`,
    maxConnections: 1_000,
    openStore: (namespace, connections) => openStore(`sqlite:${filename}`, namespace, connections),
    openBare: () => Promise.resolve(openBare(filename)),
    queryIn: (transaction, sql, values) => Promise.resolve((transaction as SqliteTransaction).prepare(sql).run(...values)),
    replay: (work, changes) => replaySqlite(filename, work, changes),
    table: (namespace, name) => `"${namespace}${name}"`,
    identityType: 'integer primary key',
    // All of it goes with the folder.
    drop: () => Promise.resolve(),
    stop: () => {
      rmSync(folder, { recursive: true, force: true });
      return Promise.resolve();
    },
  };
}

/** As durable as the store's own transactions. */
function openBare(filename: string): BareClient {
  const database = new Database(filename, { timeout: 10_000 });
  database.pragma('synchronous = full');
  const prepared = new Map<string, Database.Statement>();
  const prepare = (sql: string): Database.Statement => {
    const known = prepared.get(sql) ?? database.prepare(sql);
    prepared.set(sql, known);
    return known;
  };
  return {
    query: (sql, values) => Promise.resolve(prepare(sql).run(...values).changes),
    transaction: (sql, values) => {
      prepare('begin immediate').run();
      database.prepare(sql).run(...values);
      prepare('commit').run();
      return Promise.resolve();
    },
    inTransaction: async (work) => {
      prepare('begin immediate').run();
      const result = await work(database);
      prepare('commit').run();
      return result;
    },
    close: () => {
      database.close();
      return Promise.resolve();
    },
  };
}
