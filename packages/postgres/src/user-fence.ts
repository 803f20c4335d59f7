import { assertFenceLease, fencedError, type FenceLease, type FenceStatement } from '@wb/core';
import { isFenceRefusal, isKysely, notInTransactionError, runInKysely } from '@wb/sql';
import { isSerializationFailure } from './postgres-errors.js';
import type { PostgresExecutor, PostgresFenceExecutor } from './postgres-executor.js';
import type { FenceRow, FenceSql } from './postgres-fence-sql.js';
import { inlined } from './sql-literal.js';

/** The statement of a fence, for any library that runs SQL inside of a transaction. */
export function fenceStatement(sql: FenceSql, lease: FenceLease): FenceStatement {
  assertFenceLease(lease);
  const { groupId, term, sessionId } = lease;
  const parameters = sql.fence.bind({ groupId, term, sessionId }) as (string | number)[];
  return Object.freeze({ sql: sql.fence.sql, parameters: Object.freeze(parameters) });
}

/**
 * Fences a transaction of the user's.
 * @param stands Looks whether the lease stands, on another connection.
 */
export async function fenceUserTransaction(
  sql: FenceSql,
  executor: PostgresFenceExecutor,
  lease: FenceLease,
  stands: () => Promise<boolean>,
): Promise<void> {
  const statement = fenceStatement(sql, lease);
  try {
    if (isKysely(executor)) await runInKysely(executor, statement);
    else await runOnClient(executor, sql, lease);
  } catch (error) {
    if (isFenceRefusal(error)) throw fencedError(lease, 'a later term exists, or it was released', error);
    // The row has changed since the snapshot of the transaction: most likely by a takeover. The transaction has failed in any case.
    if (isSerializationFailure(error) && !(await stands().catch(() => true)))
      throw fencedError(lease, 'it was taken over since the transaction began', error);
    throw error;
  }
}

/** With the values in the text: only a message of the simple protocol can tell whether it is a transaction of its own. */
async function runOnClient(executor: PostgresExecutor, sql: FenceSql, { groupId, term, sessionId }: FenceLease): Promise<void> {
  const { rows } = (await executor.query(inlined(sql.fence, { groupId, term, sessionId }))) as { readonly rows: readonly FenceRow[] };
  if (rows[0]?.isAlone !== false) throw notInTransactionError();
}
