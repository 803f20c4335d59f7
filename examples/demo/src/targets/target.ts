import type { FencedOptions, FenceLease, LeaseStore } from '@wb/core';

/** The databases that the demo runs on. */
export type TargetName = 'sqlite' | 'postgres' | 'mysql' | 'mariadb';

/** Where everybody meets: plain data, for the command line of a member. */
export interface Place {
  readonly target: TargetName;
  /** A file, or the URL of a server. */
  readonly address: string;
  /** What the names of all tables begin with: the store's, and the demo's own. */
  readonly namespace: string;
}

/** Statements with `?` for each value, in a transaction or out of one. Sums and counts may come as text. */
export interface Sql {
  all<Row>(sql: string, values?: readonly (string | number)[]): Promise<readonly Row[]>;
  run(sql: string, values?: readonly (string | number)[]): Promise<void>;
}

/** A connection of the demo's own, beside those of the store. */
export interface Connection extends Sql, AsyncDisposable {
  /** A transaction without a fence. */
  transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  /** Whether nobody keeps the others from settling orders. */
  isWritable(): Promise<boolean>;
}

/** A store, with its fenced transactions in the demo's words. */
export interface FencingStore {
  readonly store: LeaseStore;
  /** What the library offers: a transaction that commits only if the lease stands. */
  fenced<T>(lease: FenceLease, work: (sql: Sql) => Promise<T>, options: FencedOptions): Promise<T>;
}

/** What the demo needs of a database. */
export interface DemoTarget {
  /** For people. */
  readonly title: string;
  /** The type of a column that numbers its rows by itself. */
  readonly identity: string;
  open(place: Place): FencingStore;
  connect(place: Place): Promise<Connection>;
  /** Whether a fenced transaction is ended, by the server, when its process is frozen in the middle. */
  readonly endsFrozenTransactions: boolean;
  /** Whether an error means that somebody else writes just now, and nothing was written here. */
  isBusy(error: unknown): boolean;
}

/** An `Sql` over a driver's query function. */
export function sqlOver(query: (sql: string, values: (string | number)[]) => Promise<readonly unknown[]>): Sql {
  return {
    all: async <Row>(sql: string, values: readonly (string | number)[] = []) => (await query(sql, [...values])) as readonly Row[],
    run: async (sql, values = []) => void (await query(sql, [...values])),
  };
}

/** Whether nobody has locked what the next leader is going to write: the first open orders, and the account. */
export async function areRowsFree(sql: Sql, namespace: string): Promise<boolean> {
  try {
    await sql.all(`select id from ${namespace}orders where status = 'open' order by id limit 50 for update nowait`);
    await sql.all(`select id from ${namespace}account for update nowait`);
    return true;
  } catch {
    // Each server has its own code for it; and a server that has gone is found out by whoever asks next.
    return false;
  }
}
