import type { WbTables } from '@wb/sql';
import type { Kysely } from 'kysely';
import { compileLeaseSql, type LeaseSql } from './postgres-claim-sql.js';
import { compileJobSql, type JobSql } from './postgres-job-sql.js';
import type { StoreTables } from './postgres-fragments.js';
import { compileSessionSql, type SessionSql } from './postgres-session-sql.js';
import { compileTermSql, type TermSql } from './postgres-term-sql.js';

/** All statements of the store, compiled: text only, for any number of connections. */
export type StoreSql = SessionSql & LeaseSql & TermSql & JobSql;

/** Compiles everything, once for a store. */
export function compileStoreSql(db: Kysely<WbTables>, tables: StoreTables, channel: string): StoreSql {
  return Object.freeze({
    ...compileSessionSql(db, tables, channel),
    ...compileLeaseSql(db, tables, channel),
    ...compileTermSql(db, tables, channel),
    ...compileJobSql(db, tables),
  });
}
