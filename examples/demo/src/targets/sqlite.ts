import { sqliteLeaseStore } from '@wb/sqlite';
import Database from 'better-sqlite3';
import type { Connection, DemoTarget, Sql } from './target.js';

/** What both a handle of the driver's and a transaction of the store's have. */
interface Handle {
  prepare(sql: string): { all(...values: unknown[]): unknown[]; run(...values: unknown[]): unknown };
}

function sqlOf(handle: Handle): Sql {
  return {
    all: async <Row>(sql: string, values: readonly (string | number)[] = []) => handle.prepare(sql).all(...values) as readonly Row[],
    run: async (sql, values = []) => void handle.prepare(sql).run(...values),
  };
}

/** One file, for the processes of one machine. */
export const sqlite: DemoTarget = {
  title: 'SQLite',
  identity: 'integer primary key',

  endsFrozenTransactions: false,

  open: ({ address, namespace }) => {
    const store = sqliteLeaseStore({ filename: address, namespace });
    return { store, fenced: (lease, work, options) => store.fenced(lease, (handle) => work(sqlOf(handle)), options) };
  },

  connect: async ({ address }): Promise<Connection> => {
    // Without a timeout: the driver would wait for a lock with the event loop blocked, heartbeats and all. Who finds the file busy tries again later.
    const database = new Database(address, { timeout: 0 });
    database.pragma('journal_mode = WAL');
    const sql = sqlOf(database);
    return {
      ...sql,
      transaction: async (work) => {
        database.exec('begin immediate');
        try {
          const result = await work(sql);
          database.exec('commit');
          return result;
        } finally {
          if (database.inTransaction) database.exec('rollback');
        }
      },
      isWritable: async () => {
        try {
          database.exec('begin immediate; rollback');
          return true;
        } catch (error) {
          if (sqlite.isBusy(error)) return false;
          throw error;
        }
      },
      [Symbol.asyncDispose]: async () => void database.close(),
    };
  },

  isBusy: (error) => error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY'),
};
