import { WbOptionError, type FenceStatement } from '@wb/core';
import { CompiledQuery } from 'kysely';

/** What a fence needs of a transaction of kysely, as a structural type: any version that fits will do. */
export interface KyselyTransaction {
  readonly isTransaction: boolean;
  executeQuery(query: never): Promise<unknown>;
}

/** Whether an executor is one of kysely. */
export function isKysely(executor: object): executor is KyselyTransaction {
  return 'isTransaction' in executor && typeof Reflect.get(executor, 'executeQuery') === 'function';
}

/**
 * Runs a fence statement in a transaction of kysely.
 * @throws `WbOptionError` `INVALID_OPTION` if it is none; whatever the driver throws.
 */
export async function runInKysely(transaction: KyselyTransaction, { sql, parameters }: FenceStatement): Promise<void> {
  if (!transaction.isTransaction) throw notInTransactionError();
  await transaction.executeQuery(CompiledQuery.raw(sql, [...parameters]) as never);
}

/** A fence outside of a transaction holds nothing: it would be over before the write that it is to guard. */
export function notInTransactionError(): WbOptionError {
  return new WbOptionError(
    'INVALID_OPTION',
    'executor',
    '`executor` must be inside of a transaction: a fence guards the transaction that it is called in',
  );
}
