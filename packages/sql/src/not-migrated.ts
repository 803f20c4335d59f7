import { StoreError, type StoreErrorOptions } from '@wb/core';

/** The fault of a call whose table or column is not there: someone has to run `migrate()` first. Nothing was done. */
export function notMigratedError(operation: string, options: Omit<StoreErrorOptions, 'outcome' | 'isRetryable'> = {}): StoreError {
  return new StoreError(
    'STORE_NOT_MIGRATED',
    `\`${operation}\` failed: the tables of the store are not there, or are of another version; run \`migrate()\` once before any other call`,
    { ...options, outcome: 'none' },
  );
}
