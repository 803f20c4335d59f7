import type { FenceLease, FenceStatement } from '@wb/core';
import type { Sequelize, Transaction } from 'sequelize';
import type { FenceSource } from './fence-source.js';

/** Sequelize has two kinds of placeholders: `$1` binds, `?` is replaced. */
export async function fenceInSequelize(sequelize: Sequelize, transaction: Transaction, { sql, parameters }: FenceStatement): Promise<void> {
  const values = sequelize.getDialect() === 'postgres' ? { bind: [...parameters] } : { replacements: [...parameters] };
  await sequelize.query(sql, { ...values, transaction });
}

/** Runs `work` in a transaction of Sequelize that commits only if the lease stands: PostgreSQL, MySQL, MariaDB. Every statement in it must be given the transaction. */
export async function fencedInSequelize<T>(
  sequelize: Sequelize,
  store: FenceSource,
  lease: FenceLease,
  work: (transaction: Transaction) => Promise<T>,
): Promise<T> {
  try {
    return await sequelize.transaction(async (transaction) => {
      const result = await work(transaction);
      await fenceInSequelize(sequelize, transaction, store.fenceStatement(lease));
      return result;
    });
  } catch (error) {
    throw store.fencedErrorOf(error, lease) ?? error;
  }
}
