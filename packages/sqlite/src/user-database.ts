/**
 * What this package needs of a `better-sqlite3` database, as a structural type: any version of the driver that fits will do,
 * and its types do not leak into ours.
 *
 * @module
 */

/** A prepared statement. */
export interface UserStatement {
  run(...values: unknown[]): { readonly changes: number };
  get(...values: unknown[]): unknown;
  all(...values: unknown[]): unknown[];
  /** Whether whole numbers come back as `bigint`. */
  safeIntegers(isOn?: boolean): unknown;
}

/** An open database handle, e.g. `new Database('app.db')` of `better-sqlite3`. */
export interface UserDatabase {
  /** The path it was opened with. */
  readonly name: string;
  readonly open: boolean;
  readonly inTransaction: boolean;
  readonly memory: boolean;
  prepare(source: string): UserStatement;
  pragma(source: string, options?: { readonly simple?: boolean }): unknown;
}

/** The transaction that the work of `fenced` is given: a handle of the driver, in a transaction. Do not commit, roll back or close it, and do not keep it. */
export interface SqliteTransaction extends UserDatabase {
  exec(source: string): unknown;
}
