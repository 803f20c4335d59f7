import type { LeaseStore } from '@wb/core';
import { mysqlLeaseStore } from '@wb/mysql';
import { postgresLeaseStore } from '@wb/postgres';
import { TABLE_NAMES } from '@wb/sql';
import { TcpProxy } from '@wb/test-servers';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import pg from 'pg';
import type { TestDatabase } from './test-database.js';

const sessionRetentionMs = 500;

/** A PostgreSQL server, with a proxy as the way that can be broken off. */
export function postgresDatabase(url: string): TestDatabase {
  const ask = async (sql: string): Promise<number> => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query<{ n: string }>(sql);
    await client.end();
    return Number(rows[0]?.n);
  };
  return serverDatabase(url, {
    open: (connectionString, namespace) => postgresLeaseStore({ connectionString, namespace, sessionRetentionMs }),
    ask,
    quoted: (name) => `"${name}"`,
  });
}

/** A MySQL or MariaDB server, with a proxy as the way that can be broken off. */
export function mysqlDatabase(url: string): TestDatabase {
  const ask = async (sql: string): Promise<number> => {
    const connection = await createConnection({ uri: url });
    const [rows] = await connection.query<RowDataPacket[]>(sql);
    await connection.end();
    return Number(rows[0]?.['n']);
  };
  return serverDatabase(url, {
    open: (connectionString, namespace) => mysqlLeaseStore({ connectionString, namespace, sessionRetentionMs }),
    ask,
    quoted: (name) => `\`${name}\``,
  });
}

interface Dialect {
  readonly open: (url: string, namespace: string) => LeaseStore;
  readonly ask: (sql: string) => Promise<number>;
  readonly quoted: (name: string) => string;
}

function serverDatabase(url: string, { open, ask, quoted }: Dialect): TestDatabase {
  return {
    sessionRetentionMs,
    open: (namespace) => open(url, namespace),
    sessionRows: (namespace) => ask(`select count(*) as n from ${quoted(`${namespace}session`)}`),
    way: async (namespace) => {
      const proxy = await TcpProxy.start(url);
      return {
        open: () => open(proxy.url, namespace),
        takeAway: () => proxy.cut(),
        bringBack: () => proxy.restore(),
        hold: async () => proxy.blackHole(),
        letGo: async () => proxy.heal(),
        connectionCount: () => proxy.openCount,
        [Symbol.asyncDispose]: () => proxy.stop(),
      };
    },
    drop: async (namespace) => {
      await ask(`drop table if exists ${TABLE_NAMES.map((name) => quoted(namespace + name)).join(', ')}`);
    },
  };
}
