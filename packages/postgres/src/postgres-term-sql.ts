/**
 * The statements about the record of terms. What writes it is a part of the statement that grants, releases or tidies up, and so of its transaction: the record and the lease
 * never disagree (H1, H2).
 *
 * @module
 */
import type { SqlStatement, TermRow, WbTables } from '@wb/sql';
import { sql, type Kysely, type RawBuilder } from 'kysely';
import { compiled } from './compiled.js';
import type { LeaseRow } from './postgres-claim-sql.js';
import { clockMs, isLive, notification, remainingMs, RESIGN_MARK, type StoreTables } from './postgres-fragments.js';

export interface TermSql {
  /** The last terms of each group, the latest first; one statement, one snapshot. */
  readonly history: SqlStatement<{ groupIds: string; limit: number }, TermRow>;
  /**
   * Marks the term that the live holder holds, once (R3), and counts up on that session in the same statement (R1). The session's row is locked first, as everywhere, and looked at again once it is ours:
   * what is not live then is asked nothing. The lease is not locked: if it is released meanwhile, what was marked is a term that is over, and the count makes its session look once for nothing.
   */
  readonly requestResign: SqlStatement<{ groupId: string }, LeaseRow>;
}

/** Compiles {@link TermSql}, once for a store. */
export function compileTermSql(db: Kysely<WbTables>, { session, lease, term }: StoreTables, channel: string): TermSql {
  const nowMs = sql<number>`n.now_ms`;
  return Object.freeze<TermSql>({
    history: compiled(
      db,
      (p) => sql`
      with n as materialized (select ${clockMs} as now_ms)
      select t.group_id as "groupId", t.term, t.session_id as "sessionId", t.member_id as "memberId", ${nowMs} - t.began_at_ms as "beganAgoMs",
        ${nowMs} - t.ended_at_ms as "endedAgoMs", t.end_reason as "endReason",
        case when l.group_id is not null and ${isLive('s', nowMs)} then 1 else 0 end as stands, s.closed, ${nowMs} - s.expires_at_ms as "sessionEndedAgoMs"
      from n cross join unnest(${p.groupIds}::text[]) with ordinality a (group_id, at)
        cross join lateral (select * from ${term} r where r.group_id = a.group_id order by r.term desc limit ${p.limit}::bigint) t
        left join ${lease} l on l.group_id = t.group_id and l.term = t.term and l.session_id = t.session_id
        left join ${session} s on s.session_id = t.session_id
      order by a.at, t.term desc`,
    ),

    requestResign: compiled(
      db,
      (p) => sql`
      with holder as materialized (
        select s.session_id, s.member_id, s.closed, s.expires_at_ms, s.ttl_ms, s.release_count, l.term from ${lease} l join ${session} s on s.session_id = l.session_id
        where l.group_id = ${p.groupId}::text for no key update of s
      ), n as materialized (
        select ${clockMs} as now_ms from (select count(*) from holder) waited
      ), asked as materialized (
        select h.*, ${remainingMs('h', nowMs)} as remaining_ms from holder h cross join n where ${isLive('h', nowMs)}
      ), marked as (
        update ${term} t set resign = 1 from asked h
        where t.group_id = ${p.groupId}::text and t.term = h.term and t.session_id = h.session_id and t.resign = 0 returning t.group_id
      ), counted as (
        update ${session} s set grant_count = s.grant_count + 1 from asked h cross join marked m where s.session_id = h.session_id returning s.session_id
      ), notified as materialized (${notification(channel, 'marked', RESIGN_MARK)}
      ), done as materialized (
        select (select count(*) from counted) + (select count(*) from notified) as n
      )
      select ${p.groupId}::text as "groupId", h.term, h.session_id as "sessionId", h.member_id as "memberId", h.remaining_ms as "remainingMs", h.release_count as "releaseCount"
      from asked h cross join done`,
    ),
  });
}

/**
 * The assignments that note the end of a term, by its session's row under the lock of the statement: a session that was dead by then had ended its terms before, and what is said
 * now does not matter; one that is gone, too.
 * @param nowMs The statement's clock, as a column. @param session The alias of the session's row. @param reason What a release says; `null` if nobody released.
 */
export function endOfTerm(nowMs: string, session: string, reason: RawBuilder<unknown>): RawBuilder<unknown> {
  const [now, closed, expiresAtMs] = [sql.ref(nowMs), sql.ref(`${session}.closed`), sql.ref(`${session}.expires_at_ms`)];
  return sql`ended_at_ms = least(${now}, coalesce(${expiresAtMs}, ${now})),
    end_reason = case when ${closed} = 2 then 'closed' when ${closed} = 0 and ${expiresAtMs} > ${now} then coalesce(${reason}::text, 'released') else 'expired' end`;
}

/**
 * Whether the end of the term `t` is not noted yet. Said so that PostgreSQL cannot tell how rare that is: of a table that it has not analyzed yet it takes `is null` for true of very few rows, and then compares each of the
 * ten thousand that there are with each lease, for seconds, while the session's row is locked.
 */
export const isUnended: RawBuilder<boolean> = sql<boolean>`case when t.ended_at_ms is null then true else false end`;
