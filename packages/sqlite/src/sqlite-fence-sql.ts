/**
 * The statements of a fence (L6, T8). Whoever has the write lock of the database knows that no claim is committed before he is done: so in SQLite a fence is a look under the write lock.
 *
 * @module
 */
import { statement, type SqlStatement, type WbTables } from '@wb/sql';
import { sql, type Kysely } from 'kysely';

/** A lease, exactly. */
export type LeaseArguments = { readonly groupId: string; readonly term: number; readonly sessionId: string };

/** The statements of a fence. */
export interface FenceSql {
  /**
   * For a transaction of the user's: writes the row of the lease as it is, which takes the write lock if the transaction does not have it yet, also if its own writes go to
   * another file that is attached. A snapshot that is not the newest cannot take it any more (`SQLITE_BUSY_SNAPSHOT`). If the lease does not stand it fails, so that no library can overlook it: plain SQL
   * cannot raise an error, but a path that is none can.
   */
  readonly fence: SqlStatement<LeaseArguments, { readonly fenced: number }>;
  /** Whether the lease stands: to be asked under the write lock. */
  readonly stands: SqlStatement<LeaseArguments, { readonly stands: number }>;
  /** The shortest TTL of those who may be waiting with a heartbeat; `null`: nobody. */
  readonly shortestTtl: SqlStatement<{ readonly nowMs: number }, { readonly ttlMs: number | null }>;
}

/** Compiles {@link FenceSql}, once for a store. */
export function compileFenceSql(db: Kysely<WbTables>, namespace: string): FenceSql {
  const lease = sql.id(`${namespace}lease`);
  const session = sql.id(`${namespace}session`);
  const compiled = <Args extends LeaseArguments | { readonly nowMs: number }, Row>(
    build: (p: Parameters<Parameters<typeof statement<Args, Row>>[0]>[0]) => ReturnType<typeof sql>,
  ): SqlStatement<Args, Row> => statement<Args, Row>((p) => ({ compile: () => (build(p) as ReturnType<typeof sql<Row>>).compile(db) }));
  return Object.freeze<FenceSql>({
    fence: compiled(
      (p) => sql`with asked (group_id, term, session_id) as (select ${p.groupId}, ${p.term}, ${p.sessionId})
      insert into ${lease} (group_id, term, session_id)
      select a.group_id, case
          when exists (select 1 from ${lease} l where l.group_id = a.group_id and l.term = a.term and l.session_id = a.session_id) then a.term
          else json_extract('{}', 'wb-' || 'fenced: the lease does not stand' || substr('', a.term)) end, a.session_id
      from asked a where true on conflict (group_id) do update set term = ${lease}.term returning 1 as fenced`,
    ),
    stands: compiled(
      (p) =>
        sql`select exists (select 1 from ${lease} where group_id = ${p.groupId} and term = ${p.term} and session_id = ${p.sessionId}) as stands`,
    ),
    shortestTtl: compiled((p) => sql`select min(ttl_ms) as "ttlMs" from ${session} where closed = 0 and expires_at_ms > ${p.nowMs}`),
  });
}
