import type { FenceLease, FenceStatement } from '@wb/core';
import type { DataSource, EntityManager } from 'typeorm';
import type { FenceSource } from './fence-source.js';

/** TypeORM takes the placeholders of the driver. */
export async function fenceInTypeorm(manager: EntityManager, { sql, parameters }: FenceStatement): Promise<void> {
  await manager.query(sql, [...parameters]);
}

/**
 * On SQLite TypeORM begins transactions without the write lock, and one that has read before it writes fails if somebody else has written meanwhile (`SQLITE_BUSY_SNAPSHOT`). A fence takes the lock: there it comes first, too.
 */
function isSqlite({ options }: DataSource): boolean {
  return options.type === 'better-sqlite3';
}

/** Runs `work` in a transaction of TypeORM that commits only if the lease stands: PostgreSQL, MySQL, MariaDB, SQLite (`better-sqlite3`). */
export async function fencedInTypeorm<T>(
  dataSource: DataSource,
  store: FenceSource,
  lease: FenceLease,
  work: (manager: EntityManager) => Promise<T>,
): Promise<T> {
  try {
    return await dataSource.transaction(async (manager) => {
      if (isSqlite(dataSource)) await fenceInTypeorm(manager, store.fenceStatement(lease));
      const result = await work(manager);
      await fenceInTypeorm(manager, store.fenceStatement(lease));
      return result;
    });
  } catch (error) {
    throw store.fencedErrorOf(error, lease) ?? error;
  }
}
