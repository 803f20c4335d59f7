import { postgresLeaseStore } from '@wb/postgres';
import pg from 'pg';
import { areRowsFree, sqlOver, type Connection, type DemoTarget, type Sql } from './target.js';

/** Serialization failure, deadlock: the transaction was rolled back, or will be. */
const CONFLICTS: ReadonlySet<string> = new Set(['40001', '40P01']);

interface Queryable {
  query(text: string, values: unknown[]): Promise<{ readonly rows: unknown[] }>;
}

function sqlOf(client: Queryable): Sql {
  return sqlOver(async (sql, values) => {
    let at = 0;
    return (
      await client.query(
        sql.replaceAll('?', () => `$${(at += 1)}`),
        values,
      )
    ).rows;
  });
}

/** A PostgreSQL server. */
export const postgres: DemoTarget = {
  title: 'PostgreSQL',
  identity: 'bigint generated always as identity primary key',

  endsFrozenTransactions: true,

  open: ({ address, namespace }) => {
    const store = postgresLeaseStore({ connectionString: address, namespace });
    return { store, fenced: (lease, work, options) => store.fenced(lease, (client) => work(sqlOf(client)), options) };
  },

  connect: async ({ address, namespace }): Promise<Connection> => {
    const client = new pg.Client({ connectionString: address });
    await client.connect();
    const sql = sqlOf(client);
    return {
      ...sql,
      transaction: async (work) => {
        await client.query('begin');
        try {
          const result = await work(sql);
          await client.query('commit');
          return result;
        } catch (error) {
          await client.query('rollback');
          throw error;
        }
      },
      isWritable: () => areRowsFree(sql, namespace),
      [Symbol.asyncDispose]: () => client.end(),
    };
  },

  isBusy: (error) => error instanceof pg.DatabaseError && CONFLICTS.has(error.code ?? ''),
};
