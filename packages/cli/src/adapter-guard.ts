import type { GuardOptions, GuardStatements } from '@wb/postgres';
import { accessSync } from 'node:fs';
import { missingFile, type StoreTarget } from './adapters.js';
import { CliError } from './cli-error.js';

/** How long `--apply` waits for the table, in ms. */
const LOCK_TIMEOUT_MS = 2_000;

/** A guard for a table of one database. */
export interface Guard extends AsyncDisposable {
  readonly statements: GuardStatements;
  /** Whether the statements belong into one transaction; else each commits by itself. */
  readonly inTransaction: boolean;
  apply(statements: readonly string[]): Promise<void>;
}

/**
 * Makes the statements of a guard. Only SQLite's file is looked at for that.
 * @throws `WbOptionError` as the adapter does; {@link CliError} if there is no such file or table; what the database reports.
 */
export async function adapterGuard(target: StoreTarget, { table, ...options }: GuardOptions & { readonly table: string }): Promise<Guard> {
  switch (target.adapter) {
    case 'postgres': {
      const { guardStatements } = await import('@wb/postgres');
      return serverGuard(guardStatements(table, options), true, async () => {
        const { default: pg } = await import('pg');
        const client = new pg.Client('fields' in target ? target.fields : { connectionString: target.connectionString });
        // Whoever uses it hears of it by a rejected call.
        client.on('error', () => undefined);
        await client.connect();
        // The triggers need the table for themselves: while it waits for that, everybody else waits behind it.
        await client.query(`set lock_timeout = ${LOCK_TIMEOUT_MS}`);
        return { run: (sql) => client.query(sql), end: () => client.end() };
      });
    }
    case 'mysql': {
      const { guardStatements } = await import('@wb/mysql');
      return serverGuard(guardStatements(table, options), false, async () => {
        const { createConnection } = await import('mysql2/promise');
        const connection = await createConnection('fields' in target ? { ...target.fields } : { uri: target.connectionString });
        connection.on('error', () => undefined);
        await connection.query(`set session lock_wait_timeout = ${LOCK_TIMEOUT_MS / 1_000}`);
        return { run: (sql) => connection.query(sql), end: () => connection.end() };
      });
    }
    case 'sqlite':
      return await sqliteGuard(target.filename, table, options);
  }
}

interface Connection {
  run(sql: string): Promise<unknown>;
  end(): Promise<unknown>;
}

function serverGuard(statements: GuardStatements, inTransaction: boolean, connect: () => Promise<Connection>): Guard {
  return {
    statements,
    inTransaction,
    apply: async (sqls) => {
      const connection = await connect();
      try {
        for (const sql of inTransaction ? ['begin', ...sqls, 'commit'] : sqls) await connection.run(sql);
      } finally {
        await connection.end();
      }
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function sqliteGuard(filename: string, table: string, options: GuardOptions): Promise<Guard> {
  const [{ guardStatements }, { default: Database }] = await Promise.all([import('@wb/sqlite'), import('better-sqlite3')]);
  // Names are checked before the file is touched.
  guardStatements(table, options);
  try {
    accessSync(filename);
  } catch (error) {
    throw missingFile(filename, error);
  }
  const database = new Database(filename, { fileMustExist: true });
  try {
    const { schema = 'main', column = 'wb_term' } = options;
    const columns = database.prepare('select name from pragma_table_info(?, ?)').pluck().all(table, schema);
    if (columns.length === 0) throw new CliError(`there is no table ${JSON.stringify(table)} in ${filename}`);
    // SQLite compares the names of columns without regard to the case of A to Z.
    const hasColumn = columns.some((name) => String(name).toLowerCase() === column.toLowerCase());
    return {
      statements: guardStatements(table, { ...options, addColumn: !hasColumn }),
      inTransaction: true,
      apply: (sqls) => {
        database
          .transaction(() => {
            for (const sql of sqls) database.exec(sql);
          })
          .immediate();
        return Promise.resolve();
      },
      [Symbol.asyncDispose]: () => Promise.resolve(void database.close()),
    };
  } catch (error) {
    database.close();
    throw error;
  }
}
