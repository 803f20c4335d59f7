import {
  fencedError,
  fenceWaitMs,
  hasPassed,
  holdMsLeft,
  instantAfter,
  resolveHoldMs,
  StoreError,
  systemClock,
  transactionOverError,
  type FencedOptions,
  type FenceLease,
} from '@wb/core';
import { isFenceRefusal, revocable } from '@wb/sql';
import type { CallScope } from './call-scope.js';
import { fenceMessages, prepareFences } from './fence-messages.js';
import type { Call, PostgresClient } from './postgres-client.js';
import type { PostgresConnection } from './postgres-connection.js';
import { faultOf, isSerializationFailure, readOnlyError, toStoreError } from './postgres-errors.js';
import type { PostgresTransaction } from './postgres-executor.js';
import type { FenceSql, LeaseArguments } from './postgres-fence-sql.js';
import type { ServerIdentity } from './server-identity.js';

/** How long the server may take to begin, to commit and to roll back, in ms. */
const STEP_LIMIT_MS = 6_000;

/** How long a transaction may wait for its connection at most, in ms (T5). */
const WAIT_LIMIT_MS = 10_000;

/** What {@link fencedTransaction} needs. */
export interface FencedTransactionParts {
  readonly client: PostgresClient;
  readonly sql: FenceSql;
  /** Whether the session was lost with the server's history (T6). */
  readonly isLostOn: (sessionId: string, identity: ServerIdentity) => boolean;
}

const OVER = 'a later term exists, or it was released';

type Ending<T> =
  | { readonly kind: 'committed'; readonly value: T }
  | { readonly kind: 'threw'; readonly error: unknown }
  | { readonly kind: 'refused'; readonly why?: string; readonly cause?: unknown }
  /** The row of the lease, or something else, has changed since the snapshot of the transaction: to be looked at. */
  | { readonly kind: 'overtaken'; readonly fault: StoreError };

/**
 * A transaction that commits only if its lease stands (L6, T8), in as many round trips as any other.
 *
 * One message begins it, sets its limits and, unless the clocks of this process have just said that the lease is trusted (T2), looks at it without a lock, for a fast refusal. The last message locks the lease, looks again, and commits: the server runs it to its end by
 * itself, so that a process that is frozen at any point holds up no takeover. What it has locked of the user's rows, the server takes away from it when its time is over.
 */
export async function fencedTransaction<T>(
  parts: FencedTransactionParts,
  lease: FenceLease,
  work: (transaction: PostgresTransaction) => T | PromiseLike<T>,
  options: FencedOptions = {},
): Promise<T> {
  const holdMs = resolveHoldMs(lease, options);
  const { client, sql } = parts;
  const args: LeaseArguments = { groupId: lease.groupId, term: lease.term, sessionId: lease.sessionId };
  const call: Call = { operation: 'fenced', options };
  const isTrusted = lease.remainingMs !== undefined;
  const ending = await client.lend(
    { ...call, waitMs: fenceWaitMs(lease, WAIT_LIMIT_MS) },
    async (connection, scope): Promise<Ending<T>> => {
      // It has waited for the connection (T10).
      const leftMs = holdMsLeft(lease, holdMs);
      if (leftMs >= 1) return await transact(parts, { args, holdMs: leftMs, isTrusted, work, connection, scope });
      connection.release();
      return { kind: 'refused', why: 'it is no longer held' };
    },
  );
  switch (ending.kind) {
    case 'committed':
      return ending.value;
    case 'threw':
      throw ending.error;
    case 'refused':
      throw fencedError(lease, ending.why ?? OVER, ending.cause);
    case 'overtaken': {
      const [row] = await client.run(call, sql.look, args);
      throw row?.stands === true ? ending.fault : fencedError(lease, OVER, ending.fault);
    }
  }
}

interface Transaction<T> {
  readonly args: LeaseArguments;
  readonly holdMs: number;
  /** Whether the lease is trusted by the clocks of this process. */
  readonly isTrusted: boolean;
  readonly work: (transaction: PostgresTransaction) => T | PromiseLike<T>;
  readonly connection: PostgresConnection;
  readonly scope: CallScope;
}

/** Gives the connection back if the transaction on it has ended for certain. Rejects with what is ours or the server's, never with what is the work's. */
async function transact<T>({ sql, isLostOn }: FencedTransactionParts, transaction: Transaction<T>): Promise<Ending<T>> {
  const { args, holdMs, isTrusted, work, connection, scope } = transaction;
  const { operation } = scope;
  const startedAt = systemClock.now();
  const overAt = instantAfter(startedAt, holdMs);
  const lateFault = (): StoreError =>
    new StoreError('STORE_TIMEOUT', `\`${operation}\` failed: the transaction lasted longer than ${holdMs} ms, and was rolled back`, {
      isRetryable: true,
      outcome: 'none',
    });

  const limits = { limitMs: STEP_LIMIT_MS, for: 'the transaction began' };
  const messages = fenceMessages(sql, connection) ?? (await scope.wait(prepareFences(sql, connection), limits));
  const { text, looks } = messages.begin(args, holdMs, isTrusted);
  const [look] = await scope.wait(connection.query(text), limits);
  if (looks && look?.['readOnly'] !== 'off') throw readOnlyError(operation, connection.server);
  if ((looks && look?.['stands'] !== true) || isLostOn(args.sessionId, connection.identity)) {
    await rollBack(connection, scope);
    return { kind: 'refused' };
  }

  const leftMs = holdMs - (systemClock.now().monotonicMs - startedAt.monotonicMs);
  let isOver = false;
  const lent = revocable(connection.client as PostgresTransaction, () => (isOver ? transactionOverError() : null));
  const settled = Promise.resolve()
    .then(async () => await work(lent))
    .then(
      (value): Ending<T> => ({ kind: 'committed', value }),
      (error: unknown): Ending<T> => ({ kind: 'threw', error }),
    );
  const result = await scope.wait(settled, { limitMs: Math.max(1, leftMs), for: 'its work was done' }).finally(() => {
    isOver = true;
  });
  if (result.kind === 'threw') {
    await rollBack(connection, scope, (used) => used.destroy());
    return result;
  }
  // It may have kept the event loop busy, and the machine may have slept (T3).
  if (hasPassed(overAt, systemClock.now())) throw lateFault();

  scope.markSent();
  try {
    const rows = await scope.wait(connection.queries(messages.last(args)), {
      limitMs: STEP_LIMIT_MS,
      for: 'the transaction was committed',
    });
    if (rows[0]?.[0]?.['isAlone'] === true) throw endedError(operation);
    connection.release();
    return result;
  } catch (error) {
    const fault = toStoreError(operation, error, 'sent');
    // Ours, or a broken connection: not an answer.
    if (fault === error || fault.outcome === 'unknown') throw fault;
    // Such as a statement that is not prepared any more, because the work has discarded it: of no use to the next one.
    if (faultOf(error).isFatal === true) connection.destroy();
    else await rollBack(connection, scope);
    if (isFenceRefusal(error)) return { kind: 'refused', cause: error };
    if (isSerializationFailure(error)) return { kind: 'overtaken', fault };
    throw fault;
  }
}

/**
 * Rolls back, and gives the connection back unless told otherwise: parts of work that threw may still be going on, and what they write now would be in no transaction. A connection
 * that cannot even roll back is ended: the server then does it by itself.
 */
async function rollBack(
  connection: PostgresConnection,
  scope: CallScope,
  then: (connection: PostgresConnection) => void = (used) => used.release(),
): Promise<void> {
  try {
    await scope.wait(connection.query('rollback'), { limitMs: STEP_LIMIT_MS, for: 'the transaction was rolled back' });
    then(connection);
  } catch {
    connection.destroy();
  }
}

function endedError(operation: string): StoreError {
  return new StoreError(
    'STORE_FAULT',
    `\`${operation}\` failed: its work has ended the transaction itself: what it wrote is not fenced; leave commit and rollback to \`fenced\``,
    { outcome: 'unknown' },
  );
}
