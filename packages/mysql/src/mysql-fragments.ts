/**
 * Pieces of statements.
 *
 * @module
 */

/** {@link NOW_MS} in µs. */
export const NOW_US = "timestampdiff(microsecond, timestamp '1970-01-01 00:00:00', utc_timestamp(6))";

/**
 * The store's clock in whole ms since 1970, without any zone: neither the server's, nor the session's, nor a change to summer time has a say. It stands still
 * from the start of the *statement*, so what a statement reads here is right only if the statement waits for no lock: an earlier one of its transaction has taken them (T1).
 */
export const NOW_MS: string = `(${NOW_US} div 1000)`;

/** A table `asked` of one row for each text of a JSON array: its place from 1 on, and itself. One statement for any number, and always a search by key behind `straight_join`. */
export function asked(json: string): string {
  return `json_table(${json}, '$[*]' columns (place for ordinality, name varchar(255) character set utf8mb4 path '$')) asked`;
}

/** As {@link asked}, of a JSON array of `[group, term]`. */
export function askedLeases(json: string): string {
  return `json_table(${json}, '$[*]' columns (place for ordinality, name varchar(255) character set utf8mb4 path '$[0]', term bigint path '$[1]')) asked`;
}

/** Whether the session is live: not closed, and before its expiry. From that instant on it is dead. */
export function isLive(session: string): string {
  return `(${session}.closed = 0 and ${session}.expires_at_ms > ${NOW_MS})`;
}

/**
 * How long the live session still lives. Never more than its TTL: a longer time can only come from a clock that was set back after the
 * last heartbeat, and those who wait must not believe it.
 */
export function remainingMs(session: string): string {
  return `least(${session}.expires_at_ms - ${NOW_MS}, ${session}.ttl_ms)`;
}

/**
 * Whether the expiry of a session's row can come from its last heartbeat. One that is farther away was left behind by a clock that was set back: a dead holder's would keep its groups for as long as the step was. Those who wait are then told that nothing is left,
 * and their claim looks again, and draws it in. A tenth is spared: the servers of a cluster have a clock each.
 */
export function isCredible(session: string): string {
  return `${session}.expires_at_ms <= ${NOW_MS} + ${session}.ttl_ms + ${session}.ttl_ms div 10`;
}

/** A text that must come back as it is: as bytes it is not converted to the character set of the connection. */
export function asBytes(column: string): string {
  return `cast(${column} as binary)`;
}

/** Goes before a statement that gathers names in a variable: MariaDB cuts what `json_arrayagg` returns at `group_concat_max_len`, without an error. MySQL does not, and skips it. */
export const UNCUT = '/*M! set statement group_concat_max_len = 4194304 for */';
