import type { LeaseStore } from '@wb/core';

/** A database in which a test can break things. */
export interface TestDatabase {
  /** How long the clients of `open` keep dead sessions, in ms. */
  readonly sessionRetentionMs: number;
  /** A client of the data in `namespace`. */
  open(namespace: string): LeaseStore;
  /** How many rows the table of sessions has. */
  sessionRows(namespace: string): Promise<number>;
  /** A way to the database that can be broken off, for one namespace. */
  way(namespace: string): Promise<BreakableWay>;
  drop(namespace: string): Promise<void>;
}

/** A way to a database. */
export interface BreakableWay extends AsyncDisposable {
  open(): LeaseStore;
  /** The database is not there: every call fails at once. */
  takeAway(): Promise<void>;
  bringBack(): Promise<void>;
  /** The database is there and answers nothing. */
  hold(): Promise<void>;
  letGo(): Promise<void>;
  /** How many connections are open over this way; `null`: it has none. */
  connectionCount(): number | null;
}
