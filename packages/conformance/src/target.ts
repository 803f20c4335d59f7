import type { LeaseStore } from '@wb/core';

/** A place of the user's in the database of the store, in which fenced transactions leave notes: a table with one column, a set of keys, … */
export interface FenceNotes {
  /**
   * Whether a transaction that is open keeps everybody else from writing until it ends, as in SQLite. Then heartbeats and claims may wait for the end of a fenced transaction; else they may not.
   * Default: `false`.
   */
  readonly isOneWriter?: boolean;
  /** Makes the place. Called once for a namespace, before anything else here. `drop` of the target removes it. */
  prepare(namespace: string): void | Promise<void>;
  /** Writes a note, in the transaction that the store's `fenced` gives to its work. */
  write(transaction: unknown, namespace: string, note: string): void | Promise<void>;
  /** The notes that the transaction sees, its own included, in any order. */
  see(transaction: unknown, namespace: string): readonly string[] | Promise<readonly string[]>;
  /** The notes that are committed, in any order. */
  read(namespace: string): readonly string[] | Promise<readonly string[]>;
}

/** The store under test, and how to get at it. */
export interface ConformanceTarget {
  /** For people: what the report is headed with. */
  readonly name: string;
  /**
   * Makes a client of the data in `namespace` (a–z, 0–9 and `_`, at most 32 characters): a table prefix, a schema, a file, … Called many times for
   * one namespace; each gives an **independent client** with a connection of its own over the same data. Not migrated: the cases do that.
   */
  open(namespace: string): LeaseStore | Promise<LeaseStore>;
  /** Removes everything of a namespace. Called when its case is over and its clients are closed, also if it was never migrated: it must not fail where there is nothing. Default: nothing. */
  drop?(namespace: string): void | Promise<void>;
  /**
   * The URL of an ES module whose default export is this target: `import.meta.url` where the target is the default export of its own module. With it, cases also run clients in other
   * processes, and Node itself must be able to run it: a build, no `.ts`. Without it they are skipped, unless the store says that it is of one process only.
   */
  readonly module?: string;
  /** How fenced transactions of the store are written in (`capabilities.fencing`). Without it the cases of L6 are skipped. */
  readonly notes?: FenceNotes;
  /** How long after its end a session may be pruned at the earliest, in ms, as the clients of `open` are set up. Keep it short. Default: it cannot be told; pruning is not waited for. */
  readonly sessionRetentionMs?: number;
}
