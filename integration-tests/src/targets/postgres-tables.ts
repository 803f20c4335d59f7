import type { FenceNotes } from '@wb/conformance';
import type { PostgresTransaction } from '@wb/postgres';
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
  const tables = [...TABLE_NAMES, 'note'].map((name) => `"${namespace}${name}"`);
  await query(`drop table if exists ${tables.join(', ')}`);
}

/** A table of notes beside the store's. */
export const postgresNotes: FenceNotes = {
  prepare: async (namespace) => void (await query(`create table "${namespace}note" (note text not null)`)),
  write: async (transaction, namespace, note) => {
    await (transaction as PostgresTransaction).query(`insert into "${namespace}note" (note) values ($1)`, [note]);
  },
  see: async (transaction, namespace) =>
    notesOf((await (transaction as PostgresTransaction).query(`select note from "${namespace}note"`)).rows),
  read: async (namespace) => notesOf(await query(`select note from "${namespace}note"`)),
};

async function query(text: string): Promise<readonly unknown[]> {
  const client = new pg.Client({ connectionString: connectionString() });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

function notesOf(rows: readonly unknown[]): string[] {
  return rows.map((row) => (row as { readonly note: string }).note);
}
