import { sql, type Expression, type RawBuilder, type SqlBool } from 'kysely';

/** The store's tables as identifiers, with schema and namespace: nothing depends on a `search_path`. */
export interface StoreTables {
  readonly session: RawBuilder<unknown>;
  readonly lease: RawBuilder<unknown>;
  readonly term: RawBuilder<unknown>;
  readonly contender: RawBuilder<unknown>;
  readonly job: RawBuilder<unknown>;
}

/** See {@link StoreTables}. */
export function storeTables(schema: string, namespace: string): StoreTables {
  const table = (name: keyof StoreTables): RawBuilder<unknown> => sql.id(schema, namespace + name);
  return Object.freeze({
    session: table('session'),
    lease: table('lease'),
    term: table('term'),
    contender: table('contender'),
    job: table('job'),
  });
}

/**
 * The store's clock, in whole ms since 1970: no zone (F6), and read when the executor gets there. `now()` and `statement_timestamp()` stand still
 * from before the locks that a statement waits for (T1).
 */
export const clockMs: RawBuilder<number> = sql<number>`floor(extract(epoch from clock_timestamp()) * 1000)::bigint`;

/** Whether the session of a row alias is live at an instant: not closed, and before its expiry. */
export function isLive(alias: string, nowMs: Expression<number>): RawBuilder<SqlBool> {
  return sql<SqlBool>`(${sql.ref(alias)}.closed = 0 and ${sql.ref(alias)}.expires_at_ms > ${nowMs})`;
}

/**
 * How long a live session still lives. Never more than its TTL: a longer time can only come from a clock that was set back after the last heartbeat,
 * and those who wait must not believe it.
 */
export function remainingMs(alias: string, nowMs: Expression<number>): RawBuilder<number> {
  return sql<number>`least(${sql.ref(alias)}.expires_at_ms - ${nowMs}, ${sql.ref(alias)}.ttl_ms)`;
}

/**
 * Whether the expiry of a session's row can come from its last heartbeat. One that is farther away was left behind by a clock that was set back: a dead holder's would keep its groups for as long as the step was. Those who wait are then told that nothing is left,
 * and their claim looks again, and draws it in. A tenth is spared: the servers of a cluster have a clock each.
 */
export function isCredible(alias: string, nowMs: Expression<number>): RawBuilder<SqlBool> {
  return sql<SqlBool>`${sql.ref(alias)}.expires_at_ms <= ${nowMs} + ${sql.ref(alias)}.ttl_ms + ${sql.ref(alias)}.ttl_ms / 10`;
}

/** What stands before the groups whose leaders are asked to resign (R1). A version that does not know it takes it for a hint that names nothing. */
export const RESIGN_MARK = 'resign:';
/** What stands before groups that nobody holds any more. */
export const FREED_MARK = 'freed:';

/** The longest payload of a NOTIFY, in bytes; PostgreSQL's limit is below 8,000. */
const MAX_PAYLOAD_BYTES = 7_900;

/**
 * The body of a CTE that notifies once if `changed` (a CTE with `group_id`) has any row: with a JSON array of the groups, or with nothing if that is too long.
 * PostgreSQL runs a CTE that only selects when somebody reads it: the statement has to select from it.
 */
export function notification(
  channel: string,
  changed: string,
  mark: '' | typeof RESIGN_MARK | typeof FREED_MARK = '',
): RawBuilder<unknown> {
  return sql`select pg_notify(${sql.lit(channel)}, case when octet_length(c.payload) <= ${sql.lit(MAX_PAYLOAD_BYTES)} then ${sql.lit(mark)} || c.payload else '' end)
    from (select json_agg(g.group_id)::text as payload, count(*) as n from ${sql.ref(changed)} g) c where c.n > 0`;
}
