import type { MysqlTransaction } from '@wb/mysql';
import { TABLE_NAMES } from '@wb/sql';
import { serverVersion, startServer } from '@wb/test-servers';
import { createPool, type RowDataPacket } from 'mysql2/promise';
import { openStore } from './open-store.js';
import { storageTitle } from './storage-title.js';
import { replayMysql } from './replay-mysql.js';
import { OWN_TABLES, type BareClient, type BenchDatabase } from './bench-database.js';

/** Of the server's, for everyone else. */
const SPARE_CONNECTIONS = 20;

/** MySQL or MariaDB; a text says why there is none. */
export async function startMysql(kind: 'mysql' | 'mariadb'): Promise<BenchDatabase | string> {
  const server = await startServer(kind, 'disk');
  if (server.url === null) return server.skipReason;
  const { url } = server;
  const admin = createPool({ uri: url, connectionLimit: 1 });
  const [rows] = await admin.query<RowDataPacket[]>(
    'select @@innodb_flush_log_at_trx_commit as flush, @@sync_binlog as binlog, @@max_connections as connections',
  );
  const { flush, binlog, connections } = rows[0] as { readonly flush: number; readonly binlog: number; readonly connections: number };
  return {
    name: kind,
    title: `${await serverVersion(url)} (${server.origin}, ${storageTitle(server.storage)}; innodb_flush_log_at_trx_commit ${flush}, sync_binlog ${binlog})`,
    url,
    maxConnections: Math.max(1, Math.floor((connections - SPARE_CONNECTIONS) / 2)),
    openStore: (namespace, connectionLimit) => openStore(url, namespace, connectionLimit),
    openBare: (connectionLimit) => Promise.resolve(openBare(url, connectionLimit)),
    queryIn: (transaction, sql, values) => (transaction as MysqlTransaction).query(sql, [...values]),
    replay: (work, changes) => replayMysql(url, work, changes),
    table: (namespace, name) => `\`${namespace}${name}\``,
    identityType: 'bigint not null auto_increment primary key',
    drop: async (namespace) => {
      await admin.query(`drop table if exists ${[...TABLE_NAMES, ...OWN_TABLES].map((name) => `\`${namespace}${name}\``).join(', ')}`);
    },
    stop: async () => {
      await admin.end();
      await server.stop();
    },
  };
}

function openBare(uri: string, connectionLimit: number): BareClient {
  const pool = createPool({ uri, connectionLimit });
  return {
    query: async (sql, values) => {
      const [result] = await pool.execute(sql, [...values]);
      return Number(Reflect.get(result, 'affectedRows') ?? 0);
    },
    transaction: async (sql, values) => {
      const connection = await pool.getConnection();
      await connection.query('start transaction');
      await connection.query(sql, [...values]);
      await connection.query('commit');
      connection.release();
    },
    inTransaction: async (work) => {
      const connection = await pool.getConnection();
      await connection.query('start transaction');
      const result = await work(connection);
      await connection.query('commit');
      connection.release();
      return result;
    },
    close: () => pool.end(),
  };
}
