import { assertFenceLease, fencedError, type FenceLease, type FenceStatement } from '@wb/core';
import { isFenceRefusal, notInTransactionError, runInKysely, type KyselyTransaction } from '@wb/sql';
import type { FenceSql } from './sqlite-fence-sql.js';
import type { UserDatabase } from './user-database.js';

const WHY = 'a later term exists, or it was released';

/** A handle of the user's, as far as a fence needs it. */
export type SqliteFenceHandle = Pick<UserDatabase, 'prepare' | 'inTransaction'>;

/** The statement of a fence, for any library that runs SQL inside of a transaction. */
export function fenceStatement(sql: FenceSql, lease: FenceLease): FenceStatement {
  assertFenceLease(lease);
  const { groupId, term, sessionId } = lease;
  const parameters = sql.fence.bind({ groupId, term, sessionId }) as (string | number)[];
  return Object.freeze({ sql: sql.fence.sql, parameters: Object.freeze(parameters) });
}

/**
 * Fences a transaction of the user's on a handle: synchronous, as the handle is. SQLite fails the statement alone, so a refusal rolls back here: whoever catches it, and commits, commits nothing.
 */
export function fenceHandle(sql: FenceSql, handle: SqliteFenceHandle, lease: FenceLease): void {
  const { sql: text, parameters } = fenceStatement(sql, lease);
  if (!handle.inTransaction) throw notInTransactionError();
  try {
    handle.prepare(text).all(...parameters);
  } catch (error) {
    if (!isFenceRefusal(error)) throw error;
    throw fencedError(lease, WHY, error, rollBack(handle) ? 'nothing was written' : 'its transaction must not be committed');
  }
}

/** Fences a transaction of the user's in kysely, which rolls back itself: it would fail over a transaction that has ended. */
export async function fenceKysely(sql: FenceSql, transaction: KyselyTransaction, lease: FenceLease): Promise<void> {
  try {
    await runInKysely(transaction, fenceStatement(sql, lease));
  } catch (error) {
    throw isFenceRefusal(error) ? fencedError(lease, WHY, error, 'its transaction must not be committed') : error;
  }
}

/** Whether there is no transaction any more. */
function rollBack(handle: SqliteFenceHandle): boolean {
  try {
    handle.prepare('rollback').run();
  } catch {
    // Rows of it are being stepped through.
  }
  return !handle.inTransaction;
}
