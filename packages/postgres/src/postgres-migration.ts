import { planMigrations, readLedger, type SchemaDialect } from '@wb/sql';
import { COMMIT_LEVEL, type PostgresConnection } from './postgres-connection.js';
import { isMissingTable } from './postgres-errors.js';
import { literal } from './sql-literal.js';
import type { CompiledQuery } from 'kysely';

/** What a migration needs to know. */
export interface MigrationPlace {
  readonly dialect: SchemaDialect;
  readonly schema: string;
  readonly namespace: string;
}

/** How long migrations may take in all, in ms: they wait for each other, and for whoever uses the tables. */
export const MIGRATION_LIMIT_MS = 120_000;

/**
 * Brings the tables up to date (F20). PostgreSQL's DDL is transactional: one that dies in the middle leaves nothing behind. `create table if not exists` alone is not safe
 * when two run it at once (both may find nothing, and one then violates a catalog's unique index); the advisory lock is, and the second finds the work done.
 */
export async function migratePostgres(connection: PostgresConnection, operation: string, place: MigrationPlace): Promise<void> {
  // Up to date: nothing is locked and nothing is written, so that a role that may only read and write the tables gets by.
  if (plan(place, await readApplied(connection, place)).length === 0) return;
  await connection.query(
    `begin isolation level read committed; set local lock_timeout = 0; set local statement_timeout = ${MIGRATION_LIMIT_MS}; select set_config('synchronous_commit', ${COMMIT_LEVEL}, true); ${lockOf(place)}`,
  );
  try {
    for (const statement of await pending(connection, operation, place)) await connection.query(statement);
    await connection.query('commit');
  } catch (error) {
    // If even that fails, the first failure is what matters, and the connection is destroyed for it or for the one to come.
    await connection.query('rollback').catch(() => undefined);
    throw error;
  }
}

/** What {@link migratePostgres} would do, for `psql`: one transaction under the same lock, so that what fails leaves nothing behind. Nothing if up to date. */
export async function postgresMigrationSql(
  connection: PostgresConnection,
  operation: string,
  place: MigrationPlace,
): Promise<readonly string[]> {
  const statements = await pending(connection, operation, place);
  return statements.length === 0 ? [] : ['begin', lockOf(place), ...statements, 'commit'];
}

/** What is to be done. */
async function pending(connection: PostgresConnection, operation: string, place: MigrationPlace): Promise<readonly string[]> {
  const { schema, namespace } = place;
  // By reading the catalog. `to_regclass` would answer from the backend's cache, which is not told of what others have committed before the next relation is locked: after an earlier look it may
  // go on saying that there is no ledger.
  const [row] = await connection.query(
    `select exists (select from pg_catalog.pg_namespace n where n.nspname = ${literal(schema)}) as "hasSchema",
      exists (select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where n.nspname = ${literal(schema)} and c.relname = ${literal(`${namespace}migration`)}) as "hasLedger", current_setting('transaction_read_only') as "readOnly"`,
  );
  connection.assertWritable(operation, row && { rows: [row] });
  const applied = row?.['hasLedger'] === true ? await readApplied(connection, place) : null;
  // Not `if not exists`: that asks for the right to create one even if there is nothing to create.
  const schemas = row?.['hasSchema'] === true ? [] : [`create schema ${quoted(schema)}`];
  return [...schemas, ...plan(place, applied).map(textOf)];
}

function lockOf({ schema, namespace }: MigrationPlace): string {
  return `select pg_advisory_xact_lock(hashtextextended(${literal(`wb:${schema}.${namespace}`)}, 0))`;
}

function plan({ dialect, namespace }: MigrationPlace, applied: readonly string[] | null): readonly CompiledQuery[] {
  return planMigrations(dialect, namespace, applied);
}

async function readApplied(connection: PostgresConnection, { dialect }: MigrationPlace): Promise<readonly string[] | null> {
  try {
    return (await connection.query(textOf(readLedger(dialect)))).map((row) => String(row['name']));
  } catch (error) {
    if (isMissingTable(error)) return null;
    throw error;
  }
}

function textOf({ sql, parameters }: CompiledQuery): string {
  return sql.replace(/\$(\d+)/g, (_placeholder, at: string) => literal(parameters[Number(at) - 1] as string | number));
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
