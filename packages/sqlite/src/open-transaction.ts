import type { StoreStatements } from './sqlite-statements.js';
import type { UserDatabase } from './user-database.js';

/** A transaction that is open, under the write lock of the database. Each of the two ends it; nothing else may be done with its connection before. */
export interface OpenTransaction {
  readonly handle: UserDatabase;
  readonly statements: StoreStatements;
  /** The store's time when it began. */
  readonly nowMs: number;
  /** Whether it is still open: some failures end it, and so may its owner. */
  isOpen(): boolean;
  /** @throws `StoreError` */
  commit(): void;
  /** Never throws: what cannot be rolled back is closed. */
  rollBack(): void;
}
