import { Kysely, MysqlDialect, PostgresDialect, sql, type ControlledTransaction, type Dialect } from 'kysely';
import { createConnection as createCallbackConnection, createPool } from 'mysql2';
import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import type { FenceLibrary, FenceSession, Isolation } from './fence-session.js';

/** A connection that is told everything in SQL. */
function plain(
  executor: object,
  query: (text: string) => Promise<unknown>,
  begin: (isolation: Isolation) => readonly string[],
): FenceSession {
  return {
    begin: async (isolation) => {
      for (const text of begin(isolation)) await query(text);
    },
    run: query,
    fence: (store, lease) => store.fence(executor, lease),
    commit: async () => void (await query('commit')),
    rollBack: async () => void (await query('rollback')),
  };
}

function inKysely(dialect: Dialect, onEnd: (end: () => Promise<unknown>) => void): FenceSession {
  const db = new Kysely<Readonly<Record<string, never>>>({ dialect });
  let transaction: ControlledTransaction<Readonly<Record<string, never>>> | null = null;
  onEnd(async () => {
    // It waits for those that are out.
    if (transaction !== null && !transaction.isCommitted && !transaction.isRolledBack) await transaction.rollback().execute();
    await db.destroy();
  });
  return {
    begin: async (isolation) => {
      transaction = await db.startTransaction().setIsolationLevel(isolation).execute();
    },
    run: (text) => sql.raw(text).execute(transaction ?? db),
    fence: (store, lease) => store.fence(transaction ?? db, lease),
    commit: async () => await transaction!.commit().execute(),
    rollBack: async () => await transaction!.rollback().execute(),
  };
}

/** Those of PostgreSQL. */
export const postgresLibraries: readonly FenceLibrary[] = [
  {
    name: 'a client of pg',
    endsItself: false,
    open: async (url, onEnd) => {
      const client = new pg.Client({ connectionString: url });
      client.on('error', () => undefined);
      await client.connect();
      onEnd(() => client.end());
      return plain(
        client,
        (text) => client.query(text),
        (isolation) => [`begin isolation level ${isolation}`],
      );
    },
  },
  {
    name: 'a transaction of kysely',
    endsItself: false,
    open: (url, onEnd) => Promise.resolve(inKysely(new PostgresDialect({ pool: new pg.Pool({ connectionString: url }) }), onEnd)),
  },
];

const beginInMysql = (isolation: Isolation): readonly string[] => [`set transaction isolation level ${isolation}`, 'start transaction'];

/** Those of MySQL and MariaDB. */
export const mysqlLibraries: readonly FenceLibrary[] = [
  {
    name: 'a connection of mysql2/promise',
    endsItself: false,
    open: async (url, onEnd) => {
      const connection = await createConnection(url);
      connection.on('error', () => undefined);
      onEnd(async () => connection.destroy());
      return plain(connection, (text) => connection.query(text), beginInMysql);
    },
  },
  {
    name: 'a connection of mysql2 with callbacks',
    endsItself: false,
    open: (url, onEnd) => {
      const connection = createCallbackConnection(url);
      onEnd(async () => connection.destroy());
      return Promise.resolve(plain(connection, (text) => connection.promise().query(text), beginInMysql));
    },
  },
  {
    name: 'a transaction of kysely',
    endsItself: true,
    open: (url, onEnd) => Promise.resolve(inKysely(new MysqlDialect({ pool: createPool(url) }), onEnd)),
  },
];
