import type { StoreFinding } from '@wb/core';
import { planMigrations, type SchemaDialect } from '@wb/sql';
import type { SqliteConnection } from './sqlite-connection.js';
import { readApplied } from './sqlite-migration.js';
import type { UserDatabase } from './user-database.js';

/** Looks at a file. What cannot be used at all (a network file system, no right to write) has failed before. */
export function diagnoseSqlite(connection: SqliteConnection, schema: SchemaDialect, namespace: string): readonly StoreFinding[] {
  // Takes the lock that every write needs, and writes nothing.
  connection.transactRaw('diagnose', 'durable', () => undefined);
  return connection.withHandle('diagnose', 'read', (handle) => [
    {
      topic: 'version',
      state: 'ok',
      summary: `SQLite ${String(handle.prepare('select sqlite_version() as version').all().map(versionOf)[0])}`,
    },
    migrationFinding(handle, schema, namespace),
    { topic: 'permissions', state: 'ok', summary: `${handle.memory ? 'in memory' : 'the file'} can be written` },
    replicationFinding(handle),
    durabilityFinding(handle),
    { topic: 'isolation', state: 'ok', summary: 'serializable: one writer at a time' },
    { topic: 'collation', state: 'ok', summary: 'names are compared byte by byte (BINARY)' },
    { topic: 'pooler', state: 'ok', summary: 'none: the database runs in the process' },
  ]);
}

function versionOf(row: unknown): unknown {
  return Reflect.get(Object(row), 'version');
}

function migrationFinding(handle: UserDatabase, schema: SchemaDialect, namespace: string): StoreFinding {
  if (planMigrations(schema, namespace, readApplied(handle, schema)).length === 0)
    return { topic: 'migration', state: 'ok', summary: 'the tables are up to date' };
  return {
    topic: 'migration',
    state: 'problem',
    summary: `the tables "${namespace}…" are not there or not up to date`,
    advice: 'run `wb migrate`',
  };
}

function replicationFinding(handle: UserDatabase): StoreFinding {
  const summary = handle.memory ? 'none: for this process alone' : 'none: for the processes of this machine, and as safe as its disk';
  return { topic: 'replication', state: 'note', summary };
}

function durabilityFinding(handle: UserDatabase): StoreFinding {
  if (handle.memory) return { topic: 'durability', state: 'note', summary: 'nothing outlives this process' };
  const mode = String(handle.pragma('journal_mode', { simple: true }));
  return {
    topic: 'durability',
    state: 'ok',
    summary: `journal mode ${mode}; grants and releases are on the disk before they are acknowledged`,
  };
}
