import { StoreError, type StoreErrorCode } from '@wb/core';
import { partsOf } from '@wb/sql';

/** How many groups one statement takes: a few tens of ms, while which the session's heartbeat waits. */
export const PART_SIZE = 1_000;

/** Runs `run` for each part of a batch, one after the other. */
export async function inParts<T>(items: readonly T[], run: (part: readonly T[]) => Promise<unknown>): Promise<void> {
  let isBegun = false;
  for (const part of partsOf(items, PART_SIZE)) {
    try {
      await run(part);
    } catch (error) {
      throw isBegun ? afterSome(error) : error;
    }
    isBegun = true;
  }
}

/** A fault of a batch of which something was committed before: then its outcome is unknown, whatever the fault alone would say. */
export function afterSome(error: unknown): unknown {
  if (!(error instanceof StoreError)) return error;
  return new StoreError(error.code as StoreErrorCode, `${error.message}; an earlier part of the batch was committed`, {
    cause: error,
    isRetryable: error.isRetryable,
    outcome: 'unknown',
  });
}
