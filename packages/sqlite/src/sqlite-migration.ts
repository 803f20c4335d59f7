import { planMigrations, readLedger, type SchemaDialect } from '@wb/sql';
import type { SqliteConnection } from './sqlite-connection.js';
import { isMissingTable } from './sqlite-errors.js';
import type { UserDatabase } from './user-database.js';

/**
 * Brings the tables up to date (F20). SQLite's DDL is transactional: the write lock is the lock, a second process finds the work done when it gets it, and one
 * that dies in the middle leaves nothing behind. All of it is synchronous, so that nothing else on the same handle slips into the transaction.
 */
export function migrateSqlite(connection: SqliteConnection, schema: SchemaDialect, namespace: string): void {
  const pending = (handle: UserDatabase) => planMigrations(schema, namespace, readApplied(handle, schema));
  // Up to date: nothing is locked and nothing is written, so that a role that may only read gets by.
  if (connection.withHandle('migrate', 'read', pending).length === 0) return;
  connection.transactRaw('migrate', 'durable', (handle) => {
    for (const { sql, parameters } of pending(handle)) handle.prepare(sql).run(...parameters);
  });
}

function readApplied(handle: UserDatabase, schema: SchemaDialect): readonly string[] | null {
  try {
    return (handle.prepare(readLedger(schema).sql).all() as { readonly name: string }[]).map(({ name }) => name);
  } catch (error) {
    if (isMissingTable(error)) return null;
    throw error;
  }
}
