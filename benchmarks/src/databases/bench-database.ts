import type { LeaseStore } from '@wb/core';

/** A value of a statement. */
export type Value = string | number;

/** The tables that benchmarks make themselves. */
type OwnTable = (typeof OWN_TABLES)[number];
export const OWN_TABLES = ['note', 'lock', 'verrou'] as const;

/** The driver alone: what everything is measured against. */
export interface BareClient {
  /** One statement, prepared, in a transaction of its own, with `?` for each value: how many rows it has changed. */
  readonly query: (sql: string, values: readonly Value[]) => Promise<number>;
  /** A statement between `begin` and `commit`, as an application writes it. */
  readonly transaction: (sql: string, values: readonly Value[]) => Promise<void>;
  /** Whatever `work` does with the connection that it is given, between `begin` and `commit`. */
  readonly inTransaction: <T>(work: (executor: object) => Promise<T>) => Promise<T>;
  readonly close: () => Promise<void>;
}

/** What somebody has sent to a database, to be sent again by the driver alone. */
export interface Replay {
  readonly run: () => Promise<unknown>;
  /** How many messages, or statements of a file's, one run is. */
  readonly sentCount: number;
  readonly close: () => Promise<void>;
}

/** What is different when something is sent again. */
export interface ReplayChanges {
  /** A number among the values that is replaced each time, by `next()`. */
  readonly marker: number;
  readonly next: () => number;
  /** Whether each run is on the disk before it is over. Default: as the driver's, and not for a file. */
  readonly isDurable?: boolean;
}

/** A database to measure with. */
export interface BenchDatabase {
  /** `postgres` */
  readonly name: string;
  /** `PostgreSQL 18.0 (Docker; fsync on)`: which one it is, and what of its settings matters. */
  readonly title: string;
  /** For the processes that a benchmark starts: a URL, `sqlite:PATH` for a file. */
  readonly url: string;
  /** How many connections there are for one side of a comparison. */
  readonly maxConnections: number;
  /** A client of the store. */
  readonly openStore: (namespace: string, connections: number) => LeaseStore;
  readonly openBare: (connections: number) => Promise<BareClient>;
  /** Runs a statement in what `fenced` gives to its work. */
  readonly queryIn: (transaction: unknown, sql: string, values: readonly Value[]) => Promise<unknown>;
  /** Listens to the driver while `work` does one thing over a connection that it has already, and makes something of it that does the same on a connection of its own. */
  readonly replay: (work: () => Promise<unknown>, changes?: ReplayChanges) => Promise<Replay>;
  /** A table of the benchmark's own, or of the store's, as SQL. */
  readonly table: (namespace: string, name: OwnTable | 'lease' | 'session') => string;
  /** What makes a primary key count up by itself. */
  readonly identityType: string;
  /** Removes the tables of a namespace. */
  readonly drop: (namespace: string) => Promise<void>;
  readonly stop: () => Promise<void>;
}
