import { sql, type Expression, type RawBuilder, type SqlBool } from 'kysely';

/** One element of a JSON array: its place, and itself. */
export interface AskedRow {
  readonly key: number;
  readonly value: string;
}

/** A table of one row for each element of a JSON array that comes as one parameter, so that the statement is the same for any number. */
export function asked(json: Expression<string>): RawBuilder<AskedRow> {
  return sql<AskedRow>`json_each(${json})`;
}

/** Whether the session `s` is live: not closed, and before its expiry. From that instant on it is dead. */
export function isLive(nowMs: Expression<number>): RawBuilder<SqlBool> {
  return sql<SqlBool>`s.closed = 0 and s.expires_at_ms > ${nowMs}`;
}

/**
 * How long the live session `s` still lives. Never more than its TTL: a longer time can only come from a clock that was set back after the
 * last heartbeat, and those who wait must not believe it.
 */
export function remainingMs(nowMs: Expression<number>): RawBuilder<number> {
  return sql<number>`min(s.expires_at_ms - ${nowMs}, s.ttl_ms)`;
}
