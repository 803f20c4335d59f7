import { transactionOverError } from '@wb/core';
import { revocable } from '@wb/sql';
import type { SqliteTransaction, UserDatabase } from './user-database.js';

/** A transaction in the hands of the user's work. */
export interface LentTransaction {
  readonly transaction: SqliteTransaction;
  /** Takes it back, with all that was prepared in it. Idempotent, never throws. */
  readonly takeBack: () => void;
}

/**
 * Lends a handle to the work of a fenced transaction. Rows that the work is still stepping through are let go of when it is taken back: as long as they are open, the driver neither commits nor rolls back nor closes, and the
 * write lock would stay where it is.
 */
export function lendTransaction(handle: UserDatabase): LentTransaction {
  const iterators = new Set<Iterator<unknown>>();
  let isOver = false;
  const fault = (): Error | null => (isOver ? transactionOverError() : null);
  const lendIterator = (result: unknown): unknown => {
    const iterator = result as Iterator<unknown>;
    iterators.add(iterator);
    return revocable(iterator, fault);
  };
  const lendStatement = (result: unknown): unknown => revocable(result as object, fault, { iterate: lendIterator });
  return {
    transaction: revocable(handle, fault, { prepare: lendStatement }) as SqliteTransaction,
    takeBack: () => {
      isOver = true;
      for (const iterator of iterators) {
        try {
          iterator.return?.();
        } catch {
          // Whether the connection is free then is seen by who ends the transaction.
        }
      }
      iterators.clear();
    },
  };
}
