import { TABLE_NAMES } from '@wb/sql';
import pg from 'pg';

/** How long the clients of the targets keep dead sessions, in ms: longer than one sequence of T6.2 takes on a busy machine, because it opens ids again to see that they are refused. */
export const sessionRetentionMs = 1_000;

/** The server of the targets; the processes that a case starts inherit it. */
export function connectionString(): string {
  const url = process.env['WB_TEST_POSTGRES_URL'];
  if (url === undefined) throw new Error('WB_TEST_POSTGRES_URL must name a PostgreSQL database for tests');
  return url;
}

/** Removes the tables of a namespace. */
export async function dropTables(namespace: string): Promise<void> {
  const client = new pg.Client({ connectionString: connectionString() });
  await client.connect();
  const tables = TABLE_NAMES.map((name) => `"${namespace}${name}"`);
  await client.query(`drop table if exists ${tables.join(', ')}`);
  await client.end();
}
