import {
  fencedError,
  fenceWaitMs,
  holdMsLeft,
  resolveHoldMs,
  runWithinHold,
  StoreError,
  systemClock,
  transactionOverError,
  type FencedOptions,
  type FenceLease,
} from '@wb/core';
import { isFenceRefusal, revocable } from '@wb/sql';
import type { Call, Loan, MysqlClient } from './mysql-client.js';
import { COMMIT, enterTransaction, RESTORE, ROLL_BACK } from './transaction-frame.js';
import { ER_SP_DOES_NOT_EXIST, serverNumber, toStoreError } from './mysql-errors.js';
import type { MysqlTransaction } from './mysql-executor.js';
import { formOf, type FenceSql, type LeaseArguments } from './mysql-fence-sql.js';
import { decodeRows } from './mysql-statement.js';
import { isOvertaken } from './user-fence.js';

/** How long the server may take to commit and to roll back, in ms. */
const STEP_LIMIT_MS = 6_000;

/** How long a call beside the transaction may take, in ms, also the wait for a connection (T5). */
export const FENCE_CALL_LIMIT_MS = 10_000;

/** Gone with the transaction, and so a sign of it: a deadlock ends the whole transaction, and what follows would be in none. */
const MARK = 'savepoint wb_fenced';

const OVER = 'a later term exists, or it was released';

type Ending<T> =
  | { readonly kind: 'committed'; readonly value: T }
  | { readonly kind: 'threw'; readonly error: unknown }
  | { readonly kind: 'refused'; readonly why?: string; readonly cause?: unknown }
  | { readonly kind: 'overtaken'; readonly fault: StoreError };

/**
 * A transaction that commits only if its lease stands (L6, T8).
 *
 * The first packet begins it and looks at the lease without a lock, for a fast refusal. The last one locks the lease, looks again, and commits: the server runs it to its end by itself, so that a process
 * that is frozen at any point holds up no takeover. (A pool of the user's without `multipleStatements` takes one statement at a time; then the server ends the connection.) What it has locked of the user's rows, the server
 * takes away from it by `wait_timeout`, which counts in seconds.
 */
export async function fencedTransaction<T>(
  client: MysqlClient,
  sql: FenceSql,
  hasOtherWriters: boolean,
  isLostOn: (server: string) => Promise<boolean>,
  lease: FenceLease,
  work: (transaction: MysqlTransaction) => T | PromiseLike<T>,
  options: FencedOptions = {},
): Promise<T> {
  const holdMs = resolveHoldMs(lease, options);
  const args: LeaseArguments = { groupId: lease.groupId, term: lease.term, sessionId: lease.sessionId };
  const call: Call = { operation: 'fenced', options, limitMs: FENCE_CALL_LIMIT_MS };
  const ending = await client.lend({ ...call, limitMs: fenceWaitMs(lease, FENCE_CALL_LIMIT_MS) }, async (loan): Promise<Ending<T>> => {
    // It has waited for the connection (T10).
    const leftMs = holdMsLeft(lease, holdMs);
    if (leftMs >= 1) return await transact(call, loan, sql, hasOtherWriters, isLostOn, args, leftMs, work);
    await loan.giveBack([]);
    return { kind: 'refused', why: 'it is no longer held' };
  });
  switch (ending.kind) {
    case 'committed':
      return ending.value;
    case 'threw':
      throw ending.error;
    case 'refused':
      throw fencedError(lease, ending.why ?? OVER, ending.cause);
    case 'overtaken': {
      const [rows] = await client.run(call, 'read', [sql.look(args)]);
      throw rows[0]?.stands === 1 ? ending.fault : fencedError(lease, OVER, ending.fault);
    }
  }
}

/** Gives the connection back if the transaction on it has ended for certain. Rejects with what is ours or the server's, never with what is the work's. */
async function transact<T>(
  call: Call,
  loan: Loan,
  sql: FenceSql,
  hasOtherWriters: boolean,
  isLostOn: (server: string) => Promise<boolean>,
  args: LeaseArguments,
  holdMs: number,
  work: (transaction: MysqlTransaction) => T | PromiseLike<T>,
): Promise<Ending<T>> {
  const startedAtMs = systemClock.now().monotonicMs;
  const look = sql.look(args);
  const begin = [
    ROLL_BACK,
    // Without autocommit nothing is committed that comes after a deadlock.
    enterTransaction(Math.ceil(holdMs / 1_000)),
    // One that waits for another on the same lease must see what that has written: otherwise it fails for nothing.
    ...(hasOtherWriters ? ['set transaction isolation level read committed'] : []),
    'start transaction',
    MARK,
    look.sql,
  ];
  const begun = await within(call, holdMs, () => loan.send(begin));
  const [row] = decodeRows(look.columns!, begun.at(-1));
  if (row?.stands !== 1 || (await isLostOn(row.server))) {
    await loan.giveBack([ROLL_BACK, RESTORE]);
    return { kind: 'refused' };
  }

  const leftMs = Math.max(1, holdMs - (systemClock.now().monotonicMs - startedAtMs));
  const over = new AbortController();
  const stopListening = loan.end.onOver(() => over.abort(loan.end.error('none')));
  let isOver = false;
  const transaction = revocable(loan.connection.promise!() as MysqlTransaction, () => (isOver ? transactionOverError() : null));
  let result: Ending<T>;
  try {
    result = await runWithinHold(
      async (): Promise<Ending<T>> => {
        try {
          return { kind: 'committed', value: await work(transaction) };
        } catch (error) {
          return { kind: 'threw', error };
        }
      },
      { clock: systemClock, holdMs: leftMs, signals: [over.signal] },
    );
  } finally {
    isOver = true;
    stopListening();
  }
  if (result.kind === 'threw') {
    // Then it is ended: parts of the work may still be going on, and what they write now would be in no transaction.
    await within(call, STEP_LIMIT_MS, () => loan.send([ROLL_BACK])).catch(() => undefined);
    return result;
  }

  try {
    const fence = formOf(sql, hasOtherWriters).silentFence(args).sql;
    const release = `release ${MARK}`;
    // Among other writers an error in the middle of a packet may be lost: see `MysqlClient`.
    const packets = hasOtherWriters ? [[release], [fence], [COMMIT]] : [[release, fence, COMMIT]];
    for (const packet of packets) await within(call, STEP_LIMIT_MS, () => loan.send(packet), 'unknown');
  } catch (error) {
    const fault = serverNumber(error) === ER_SP_DOES_NOT_EXIST ? endedError(error) : toStoreError(call.operation, error, 'sent');
    // Ours, or a broken connection: not an answer.
    if (fault === error || (fault.outcome === 'unknown' && serverNumber(error) === null)) throw fault;
    await loan.giveBack([ROLL_BACK, RESTORE]);
    if (isFenceRefusal(error)) return { kind: 'refused', cause: error };
    if (isOvertaken(error)) return { kind: 'overtaken', fault };
    throw fault;
  }
  // Nobody waits for that: it is committed.
  void loan.giveBack([RESTORE]);
  return result;
}

/** Waits for the server's answer, and no longer than `limitMs`. */
function within<T>(call: Call, limitMs: number, send: () => Promise<T>, outcome: 'none' | 'unknown' = 'none'): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = systemClock.schedule(limitMs, () => {
      reject(
        new StoreError('STORE_TIMEOUT', `\`${call.operation}\` failed: the server did not answer within ${Math.ceil(limitMs)} ms`, {
          isRetryable: true,
          outcome,
        }),
      );
    });
    send()
      .then(resolve, (error: unknown) => {
        // What is known before the commit was sent: nothing was written.
        reject(outcome === 'none' ? toStoreError(call.operation, error, 'connecting') : error);
      })
      .finally(() => timer.cancel());
  });
}

function endedError(cause: unknown): StoreError {
  return new StoreError(
    'STORE_FAULT',
    '`fenced` failed: the transaction had ended before its commit, by a deadlock that its work has passed over, or by the work itself; leave commit and rollback to `fenced`',
    { cause, outcome: 'unknown' },
  );
}
