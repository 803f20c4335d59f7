import { assertFenceLease, fencedError, type FenceLease, type FenceStatement } from '@wb/core';
import { isFenceRefusal, isKysely, notInTransactionError, runInKysely } from '@wb/sql';
import { serverNumber } from './mysql-errors.js';
import type { MysqlCallbackExecutor, MysqlFenceExecutor, MysqlPromiseExecutor } from './mysql-executor.js';
import type { FenceSql } from './mysql-fence-sql.js';

/** MariaDB from 11.6 on: the row has changed since the snapshot. */
export const ER_CHECKREAD = 1020;
/** A flag in the server's answer to a statement. */
const STATUS_IN_TRANSACTION = 1;

/** The statement of a fence, for any library that runs SQL inside of a transaction. */
export function fenceStatement(sql: FenceSql, lease: FenceLease): FenceStatement {
  assertFenceLease(lease);
  const parameters = sql.fence.names.map((name) => lease[name as 'groupId' | 'term' | 'sessionId']);
  return Object.freeze({ sql: sql.fence.sql, parameters: Object.freeze(parameters) });
}

/**
 * Fences a transaction of the user's.
 * @param stands Looks whether the lease stands, on another connection.
 */
export async function fenceUserTransaction(
  sql: FenceSql,
  executor: MysqlFenceExecutor,
  lease: FenceLease,
  stands: () => Promise<boolean>,
): Promise<void> {
  const statement = fenceStatement(sql, lease);
  try {
    if (isKysely(executor)) await runInKysely(executor, statement);
    else await runOnConnection(executor, sql, lease);
  } catch (error) {
    if (isFenceRefusal(error)) throw fencedError(lease, 'a later term exists, or it was released', error);
    // The row has changed since the snapshot of the transaction: most likely by a takeover. The transaction has failed in any case.
    if (serverNumber(error) === ER_CHECKREAD && !(await stands().catch(() => true)))
      throw fencedError(lease, 'it was taken over since the transaction began', error);
    throw error;
  }
}

async function runOnConnection(
  executor: MysqlPromiseExecutor | MysqlCallbackExecutor,
  sql: FenceSql,
  { groupId, term, sessionId }: FenceLease,
): Promise<void> {
  const text = sql.silentFence({ groupId, term, sessionId }).sql;
  // A connection with promises has the one with callbacks inside.
  const connection = ('connection' in executor ? executor.connection : executor) as MysqlCallbackExecutor;
  const result = await new Promise<unknown>((resolve, reject) => {
    connection.query(text, (error, header) => {
      if (error === null || error === undefined) resolve(header);
      else reject(error);
    });
  });
  const status: unknown = Reflect.get(Object(result), 'serverStatus');
  if (typeof status !== 'number' || (status & STATUS_IN_TRANSACTION) === 0) throw notInTransactionError();
}
