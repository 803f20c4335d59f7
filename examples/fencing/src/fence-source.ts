import type { FencedError, FenceLease, FenceStatement } from '@wb/core';

/** What a recipe needs of a store: those for PostgreSQL, MySQL and SQLite have it. */
export interface FenceSource {
  fenceStatement(lease: FenceLease): FenceStatement;
  fencedErrorOf(error: unknown, lease: FenceLease): FencedError | null;
}
