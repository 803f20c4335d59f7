import type { LeaseStore } from '@wb/core';

/** The store under test, and how to get at it. */
export interface ConformanceTarget {
  /** For people: what the report is headed with. */
  readonly name: string;
  /**
   * Makes a client of the data in `namespace` (a–z, 0–9 and `_`, at most 32 characters): a table prefix, a schema, a file, … Called many times for
   * one namespace; each gives an **independent client** with a connection of its own over the same data. Not migrated: the cases do that.
   */
  open(namespace: string): LeaseStore | Promise<LeaseStore>;
  /** Removes everything of a namespace. Called when its case is over and its clients are closed. Default: nothing. */
  drop?(namespace: string): void | Promise<void>;
  /**
   * The URL of an ES module whose default export is this target: `import.meta.url` where the target is the default export of its own module. With it, cases also run clients in other
   * processes; without it they are skipped, unless the store says that it is of one process only.
   */
  readonly module?: string;
  /** How long after its end a session may be pruned at the earliest, in ms, as the clients of `open` are set up. Keep it short. Default: it cannot be told; pruning is not waited for. */
  readonly sessionRetentionMs?: number;
}
