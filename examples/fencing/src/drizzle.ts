import type { FenceLease, FenceStatement } from '@wb/core';
import { sql, type SQL } from 'drizzle-orm';
import type { BetterSQLite3Database } from 'drizzle-orm/better-sqlite3';
import type { MySql2Database } from 'drizzle-orm/mysql2';
import type { NodePgDatabase } from 'drizzle-orm/node-postgres';
import type { FenceSource } from './fence-source.js';

type TransactionOf<Database extends { transaction: (work: never) => unknown }> = Parameters<Parameters<Database['transaction']>[0]>[0];

/** Drizzle makes placeholders itself: the statement is cut at its own ones. */
export function asDrizzleSql({ sql: text, parameters }: FenceStatement): SQL {
  const [first = '', ...rest] = text.split(/\$\d+|\?/);
  return sql.join([sql.raw(first), ...rest.flatMap((part, index) => [sql`${parameters[index]}`, sql.raw(part)])]);
}

/** Runs `work` in a transaction that commits only if the lease stands. PostgreSQL (`node-postgres`). */
export async function fencedInDrizzlePostgres<T>(
  database: NodePgDatabase,
  store: FenceSource,
  lease: FenceLease,
  work: (trx: TransactionOf<NodePgDatabase>) => Promise<T>,
): Promise<T> {
  try {
    return await database.transaction(async (trx) => {
      const result = await work(trx);
      await trx.execute(asDrizzleSql(store.fenceStatement(lease)));
      return result;
    });
  } catch (error) {
    throw store.fencedErrorOf(error, lease) ?? error;
  }
}

/** The same on MySQL and MariaDB (`mysql2`). */
export async function fencedInDrizzleMysql<T>(
  database: MySql2Database,
  store: FenceSource,
  lease: FenceLease,
  work: (trx: TransactionOf<MySql2Database>) => Promise<T>,
): Promise<T> {
  try {
    return await database.transaction(async (trx) => {
      const result = await work(trx);
      await trx.execute(asDrizzleSql(store.fenceStatement(lease)));
      return result;
    });
  } catch (error) {
    throw store.fencedErrorOf(error, lease) ?? error;
  }
}

/** The same on SQLite (`better-sqlite3`), where transactions are synchronous. */
export function fencedInDrizzleSqlite<T>(
  database: BetterSQLite3Database,
  store: FenceSource,
  lease: FenceLease,
  work: (trx: TransactionOf<BetterSQLite3Database>) => T,
): T {
  try {
    return database.transaction(
      (trx) => {
        const result = work(trx);
        trx.all(asDrizzleSql(store.fenceStatement(lease)));
        return result;
      },
      // Else a transaction that reads before it writes may fail when somebody else has written.
      { behavior: 'immediate' },
    );
  } catch (error) {
    throw store.fencedErrorOf(error, lease) ?? error;
  }
}
