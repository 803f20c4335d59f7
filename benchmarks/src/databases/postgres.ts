import type { PostgresTransaction } from '@wb/postgres';
import { TABLE_NAMES } from '@wb/sql';
import { serverVersion, startServer } from '@wb/test-servers';
import pg from 'pg';
import { openStore } from './open-store.js';
import { storageTitle } from './storage-title.js';
import { replayPostgres } from './replay-postgres.js';
import { OWN_TABLES, type BareClient, type BenchDatabase, type Value } from './bench-database.js';

/** Of the server's, for everyone else. */
const SPARE_CONNECTIONS = 20;

/** PostgreSQL; a text says why there is none. */
export async function startPostgres(): Promise<BenchDatabase | string> {
  const server = await startServer('postgres', 'disk');
  if (server.url === null) return server.skipReason;
  const { url } = server;
  const admin = new pg.Pool({ connectionString: url, max: 1 });
  const setting = async (name: string): Promise<string> =>
    (await admin.query<{ value: string }>('select current_setting($1) as value', [name])).rows[0]!.value;
  const title = `${await serverVersion(url)} (${server.origin}, ${storageTitle(server.storage)}; fsync ${await setting('fsync')}, synchronous_commit ${await setting('synchronous_commit')})`;
  const available = Number(await setting('max_connections')) - SPARE_CONNECTIONS;
  return {
    name: 'postgres',
    title,
    url,
    maxConnections: Math.max(1, Math.floor(available / 2)),
    openStore: (namespace, max) => openStore(url, namespace, max),
    openBare: (connections) => Promise.resolve(openBare(url, connections)),
    queryIn: (transaction, sql, values) => (transaction as PostgresTransaction).query(numbered(sql), [...values]),
    replay: (work, changes) => replayPostgres(url, work, changes),
    table: (namespace, name) => `"${namespace}${name}"`,
    identityType: 'bigint generated always as identity primary key',
    drop: async (namespace) => {
      await admin.query(`drop table if exists ${[...TABLE_NAMES, ...OWN_TABLES].map((name) => `"${namespace}${name}"`).join(', ')}`);
    },
    stop: async () => {
      await admin.end();
      await server.stop();
    },
  };
}

function openBare(connectionString: string, max: number): BareClient {
  const pool = new pg.Pool({ connectionString, max });
  const names = new Map<string, string>();
  const nameOf = (sql: string): string => {
    const name = names.get(sql) ?? `bare_${names.size}`;
    names.set(sql, name);
    return name;
  };
  return {
    query: async (sql, values) => (await pool.query({ name: nameOf(sql), text: numbered(sql), values: [...values] })).rowCount ?? 0,
    transaction: async (sql, values: readonly Value[]) => {
      const text = numbered(sql);
      const client = await pool.connect();
      await client.query('begin');
      await client.query(text, [...values]);
      await client.query('commit');
      client.release();
    },
    inTransaction: async (work) => {
      const client = await pool.connect();
      await client.query('begin');
      const result = await work(client);
      await client.query('commit');
      client.release();
      return result;
    },
    close: () => pool.end(),
  };
}

function numbered(sql: string): string {
  let count = 0;
  return sql.replaceAll('?', () => `$${(count += 1)}`);
}
