import type { FenceLease, FenceStatement } from '@wb/core';
import type { Knex } from 'knex';
import type { FenceSource } from './fence-source.js';

/** Knex writes every placeholder as `?`. */
export async function fenceInKnex(trx: Knex.Transaction, { sql, parameters }: FenceStatement): Promise<void> {
  await trx.raw(sql.replaceAll(/\$\d+/g, '?'), [...parameters]);
}

/**
 * On SQLite Knex begins transactions without the write lock, and one that has read before it writes fails if somebody else has written meanwhile (`SQLITE_BUSY_SNAPSHOT`). A fence takes the lock: there it comes first, too.
 */
function isSqlite(knex: Knex): boolean {
  return String(knex.client.config.client).includes('sqlite');
}

/** Runs `work` in a transaction of Knex that commits only if the lease stands: PostgreSQL, MySQL, MariaDB, SQLite (`better-sqlite3`). */
export async function fencedInKnex<T>(
  knex: Knex,
  store: FenceSource,
  lease: FenceLease,
  work: (trx: Knex.Transaction) => Promise<T>,
): Promise<T> {
  try {
    return await knex.transaction(async (trx) => {
      if (isSqlite(knex)) await fenceInKnex(trx, store.fenceStatement(lease));
      const result = await work(trx);
      await fenceInKnex(trx, store.fenceStatement(lease));
      return result;
    });
  } catch (error) {
    throw store.fencedErrorOf(error, lease) ?? error;
  }
}
