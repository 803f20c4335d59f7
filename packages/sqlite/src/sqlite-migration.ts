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

/** What {@link migrateSqlite} would do, in one transaction. Nothing if up to date. */
export function sqliteMigrationSql(connection: SqliteConnection, schema: SchemaDialect, namespace: string): readonly string[] {
  const plan = connection.withHandle('migrationSql', 'read', (handle) => planMigrations(schema, namespace, readApplied(handle, schema)));
  // Nothing but the ledger's names is a parameter, and they have no quotes.
  const statements = plan.map(({ sql, parameters }) =>
    parameters.reduce<string>((text, value) => text.replace('?', `'${String(value)}'`), sql),
  );
  return statements.length === 0 ? [] : ['begin immediate', ...statements, 'commit'];
}

/** The names in the ledger; `null` without one. */
export function readApplied(handle: UserDatabase, schema: SchemaDialect): readonly string[] | null {
  try {
    return (handle.prepare(readLedger(schema).sql).all() as { readonly name: string }[]).map(({ name }) => name);
  } catch (error) {
    if (isMissingTable(error)) return null;
    throw error;
  }
}
