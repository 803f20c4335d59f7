import { mysqlLeaseStore } from '@wb/mysql';
import { createConnection } from 'mysql2/promise';
import { areRowsFree, sqlOver, type Connection, type DemoTarget, type Sql } from './target.js';

/** Deadlock; a wait for a row that took too long; a row that has changed since it was read (MariaDB): the transaction was rolled back, or will be. */
const CONFLICTS: ReadonlySet<number> = new Set([1213, 1205, 1020]);

interface Queryable {
  query(sql: string, values: unknown[]): Promise<[unknown, unknown]>;
}

function sqlOf(connection: Queryable): Sql {
  return sqlOver(async (sql, values) => {
    const [rows] = await connection.query(sql, values);
    return Array.isArray(rows) ? (rows as readonly unknown[]) : [];
  });
}

function mysqlTarget(title: string): DemoTarget {
  return {
    title,
    identity: 'bigint auto_increment primary key',

    endsFrozenTransactions: true,

    open: ({ address, namespace }) => {
      const store = mysqlLeaseStore({ connectionString: address, namespace });
      return { store, fenced: (lease, work, options) => store.fenced(lease, (connection) => work(sqlOf(connection)), options) };
    },

    connect: async ({ address, namespace }): Promise<Connection> => {
      const connection = await createConnection({ uri: address });
      const sql = sqlOf(connection);
      return {
        ...sql,
        transaction: async (work) => {
          await connection.beginTransaction();
          try {
            const result = await work(sql);
            await connection.commit();
            return result;
          } catch (error) {
            await connection.rollback();
            throw error;
          }
        },
        isWritable: () => areRowsFree(sql, namespace),
        [Symbol.asyncDispose]: () => connection.end(),
      };
    },

    isBusy: (error) => error instanceof Error && 'errno' in error && CONFLICTS.has(Number(error.errno)),
  };
}

/** A MySQL server. */
export const mysql: DemoTarget = mysqlTarget('MySQL');

/** A MariaDB server: the same store. */
export const mariadb: DemoTarget = mysqlTarget('MariaDB');
