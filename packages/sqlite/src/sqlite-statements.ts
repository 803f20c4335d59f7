import type { SqlArguments, SqlStatement, WbTables } from '@wb/sql';
import type { Kysely } from 'kysely';
import { compileHintSql, type HintSql } from './hint-sql.js';
import { compileLeaseSql, type LeaseSql } from './sqlite-claim-sql.js';
import { compileFenceSql, type FenceSql } from './sqlite-fence-sql.js';
import { compileJobSql, type JobSql } from './sqlite-job-sql.js';
import { compileSessionSql, type SessionSql } from './sqlite-session-sql.js';
import { compileTermSql, type TermSql } from './sqlite-term-sql.js';
import type { UserDatabase, UserStatement } from './user-database.js';

/** A statement that the driver has prepared, typed. */
export class PreparedStatement<Args extends SqlArguments, Row> {
  readonly #native: UserStatement;
  readonly #bind: SqlStatement<Args, Row>['bind'];

  constructor(handle: UserDatabase, { sql, bind }: SqlStatement<Args, Row>) {
    this.#native = handle.prepare(sql);
    // The owner of the handle may have asked for `bigint` everywhere.
    this.#native.safeIntegers(false);
    this.#bind = bind;
  }

  all(args: Args): Row[] {
    return this.#native.all(...this.#bind(args)) as Row[];
  }

  get(args: Args): Row | undefined {
    return this.#native.get(...this.#bind(args)) as Row | undefined;
  }

  /** How many rows were changed. */
  run(args: Args): number {
    return this.#native.run(...this.#bind(args)).changes;
  }
}

/** All statements of the store, compiled: text only, for any number of connections. */
export type StoreSql = SessionSql & LeaseSql & TermSql & FenceSql & JobSql & HintSql;

/** All statements of the store, prepared on one connection. */
export type StoreStatements = {
  readonly [Name in keyof StoreSql]: StoreSql[Name] extends SqlStatement<infer Args, infer Row> ? PreparedStatement<Args, Row> : never;
};

/** Compiles everything, once for a store. */
export function compileStoreSql(db: Kysely<WbTables>, namespace: string): StoreSql {
  return Object.freeze({
    ...compileSessionSql(db),
    ...compileLeaseSql(db),
    ...compileTermSql(db),
    ...compileFenceSql(db, namespace),
    ...compileJobSql(db),
    ...compileHintSql(db),
  });
}

/** Prepares everything, once for a connection; the tables must be there. */
export function prepareStoreSql(handle: UserDatabase, storeSql: StoreSql): StoreStatements {
  const entries = Object.entries(storeSql).map(([name, sql]) => [
    name,
    new PreparedStatement(handle, sql as SqlStatement<SqlArguments, unknown>),
  ]);
  return Object.freeze(Object.fromEntries(entries)) as StoreStatements;
}
