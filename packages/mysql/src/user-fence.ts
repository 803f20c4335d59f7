import { assertFenceLease, fencedError, type FencedFate, type FenceLease, type FenceStatement } from '@wb/core';
import { isFenceRefusal, isKysely, notInTransactionError, runInKysely } from '@wb/sql';
import { ROLL_BACK } from './transaction-frame.js';
import { serverNumber } from './mysql-errors.js';
import type { MysqlCallbackExecutor, MysqlFenceExecutor } from './mysql-executor.js';
import type { FenceForm } from './mysql-fence-sql.js';

/** MariaDB from 11.6 on: the row has changed since the snapshot. */
const ER_CHECKREAD = 1020;
/** Where others write, too: another server was first. */
const ER_LOCK_DEADLOCK = 1213;
/** A flag in the server's answer to a statement. */
const STATUS_IN_TRANSACTION = 1;

/** Whether a fence may have failed because of a takeover that it has not seen. The transaction has failed in any case. */
export function isOvertaken(error: unknown): boolean {
  const number = serverNumber(error);
  return number === ER_CHECKREAD || number === ER_LOCK_DEADLOCK;
}

/** The statement of a fence, for any library that runs SQL inside of a transaction. */
export function fenceStatement(form: FenceForm, lease: FenceLease): FenceStatement {
  assertFenceLease(lease);
  const parameters = form.fence.names.map((name) => lease[name as 'groupId' | 'term' | 'sessionId']);
  return Object.freeze({ sql: form.fence.sql, parameters: Object.freeze(parameters) });
}

/**
 * Fences a transaction of the user's.
 * @param stands Looks whether the lease stands, on another connection.
 */
export async function fenceUserTransaction(
  form: FenceForm,
  executor: MysqlFenceExecutor,
  lease: FenceLease,
  stands: () => Promise<boolean>,
): Promise<void> {
  if (isKysely(executor)) {
    await runInKysely(executor, fenceStatement(form, lease)).catch((error: unknown) => refusalOr(error, lease, stands, async () => false));
    return;
  }
  assertFenceLease(lease);
  // A connection with promises has the one with callbacks inside.
  const connection = ('connection' in executor ? executor.connection : executor) as MysqlCallbackExecutor;
  const { groupId, term, sessionId } = lease;
  const result = await send(connection, form.silentFence({ groupId, term, sessionId }).sql).catch((error: unknown) =>
    refusalOr(error, lease, stands, () => isRolledBack(connection)),
  );
  const status: unknown = Reflect.get(Object(result), 'serverStatus');
  if (typeof status !== 'number' || (status & STATUS_IN_TRANSACTION) === 0) throw notInTransactionError();
}

/**
 * MySQL fails the statement alone, so a refusal rolls back, where that is ours to do: whoever catches it, and commits, commits nothing.
 * @param rollBack Whether there is no transaction any more.
 */
async function refusalOr(
  cause: unknown,
  lease: FenceLease,
  stands: () => Promise<boolean>,
  rollBack: () => Promise<boolean>,
): Promise<never> {
  const fate = async (): Promise<FencedFate> => ((await rollBack()) ? 'nothing was written' : 'its transaction must not be committed');
  if (isFenceRefusal(cause)) throw fencedError(lease, 'a later term exists, or it was released', cause, await fate());
  if (isOvertaken(cause) && !(await stands().catch(() => true)))
    throw fencedError(lease, 'it was taken over since the transaction began', cause, await fate());
  throw cause;
}

async function isRolledBack(connection: MysqlCallbackExecutor): Promise<boolean> {
  return await send(connection, ROLL_BACK).then(
    () => true,
    () => false,
  );
}

function send(connection: MysqlCallbackExecutor, sql: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    connection.query(sql, (error, header) => {
      if (error === null || error === undefined) resolve(header);
      else reject(error);
    });
  });
}
