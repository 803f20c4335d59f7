import { StoreError } from '@wb/core';
import { planMigrations, readLedger, type SchemaDialect } from '@wb/sql';
import { serverNumber } from './mysql-errors.js';
import type { Call, MysqlClient } from './mysql-client.js';
import { flavorOf, mysqlSchema } from './mysql-schema.js';
import type { Step } from './mysql-statement.js';

const ER_DUP_KEYNAME = 1061;
const ER_DUP_ENTRY = 1062;

/**
 * Brings the tables up to date (F20). DDL ends a transaction here, so each statement stands for itself and can be repeated; of several processes at once each does
 * what the others have left, and what another was quicker with is no fault. There is no lock: a named one would not survive poolers, and does not exist on Galera.
 */
export async function migrateMysql(client: MysqlClient, call: Call, namespace: string): Promise<void> {
  // Up to date: nothing is written, so that a role that may only read gets by.
  for (const sql of await mysqlMigrationSql(client, call, namespace)) {
    try {
      await client.run(call, 'bare', [{ sql, columns: null } satisfies Step]);
    } catch (error) {
      if (!isDoneAlready(error)) throw error;
    }
  }
}

/** What {@link migrateMysql} would do. Nothing if up to date. */
export async function mysqlMigrationSql(client: MysqlClient, call: Call, namespace: string): Promise<readonly string[]> {
  const versionStep: Step<{ readonly version: string }> = { sql: 'select version()', columns: { version: 'text' } };
  const [rows] = await client.run(call, 'read', [versionStep]);
  const schema = mysqlSchema(namespace, flavorOf(rows[0]!.version));
  const plan = planMigrations(schema, namespace, await readApplied(client, call, schema));
  return plan.map(({ sql, parameters }) => toMysql(sql, parameters));
}

async function readApplied(client: MysqlClient, call: Call, schema: SchemaDialect): Promise<readonly string[] | null> {
  const step: Step<{ readonly name: string }> = { sql: readLedger(schema).sql, columns: { name: 'text' } };
  try {
    const [rows] = await client.run(call, 'read', [step]);
    return rows.map(({ name }) => name);
  } catch (error) {
    if (error instanceof StoreError && error.code === 'STORE_NOT_MIGRATED') return null;
    throw error;
  }
}

/**
 * MySQL has no `create index if not exists`. Nothing but the ledger's names is a parameter, and no text of a statement has a question mark. The names are ASCII without quotes: written as people write them, because
 * people may be given the statements to run.
 */
function toMysql(sql: string, parameters: readonly unknown[]): string {
  const values = [...parameters];
  return sql.replace(/^create index if not exists/, 'create index').replaceAll('?', () => `'${values.shift() as string}'`);
}

function isDoneAlready(error: unknown): boolean {
  const number = error instanceof StoreError ? serverNumber(error.cause) : null;
  return number === ER_DUP_KEYNAME || number === ER_DUP_ENTRY;
}
