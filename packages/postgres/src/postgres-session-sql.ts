/**
 * The statements about sessions. Each is one statement, and so one transaction and one round trip; see the claim's SQL for what READ COMMITTED makes of the
 * rows that they see and lock.
 *
 * @module
 */
import { MAX_STANDBY_RANK } from '@wb/core';
import type { SqlStatement, WbTables } from '@wb/sql';
import { sql, type Kysely } from 'kysely';
import { compiled } from './compiled.js';
import type { Whole } from './postgres-claim-sql.js';
import { FREED_MARK, clockMs, isCredible, isLive, notification, remainingMs, type StoreTables } from './postgres-fragments.js';
import { endOfTerm, isUnended } from './postgres-term-sql.js';

/** What `members` returns of a session; `metadata` is JSON. */
export interface MemberRow {
  readonly sessionId: string;
  readonly memberId: string;
  readonly ttlMs: Whole;
  readonly remainingMs: Whole;
  readonly ageMs: Whole;
  readonly leaseCount: Whole;
  readonly contendCount: Whole;
  readonly metadata: string;
}

/** The answer to a heartbeat; without a row the session is closed or unknown. */
export interface HeartbeatRow {
  /** 1: the session had expired, and has now been declared dead. */
  readonly closed: Whole;
  readonly grantCount: Whole;
  readonly rank: Whole;
  /** A JSON array of `[remainingMs, releaseCount]`, in the order of the request; `null` for none. */
  readonly holders: string | null;
}

export interface SessionSql {
  /** The store's clock by itself. */
  readonly readClock: SqlStatement<Record<never, never>, { readonly nowMs: Whole }>;
  /**
   * Inserts, or returns `opened = 0` if the id exists: the primary key decides, not a look before. `hasLongDead` says whether there is something to prune; the session
   * table has a row for each process, so looking costs little.
   */
  readonly openSession: SqlStatement<
    { sessionId: string; memberId: string; ttlMs: number; metadata: string; retentionMs: number },
    { readonly opened: Whole; readonly hasLongDead: Whole }
  >;
  /**
   * `me` waits for the lock on the session's row and returns its newest version; `own` then reads the clock, behind that wait: a heartbeat that was held up until the session
   * was over is refused, although it was sent in time (T1). An update alone would judge by a clock from before the wait whenever the lock's holder changed nothing.
   * `beat` writes for both answers: a live session gets its new expiry, an expired one is declared dead (S2). No index is touched, so that the update stays on its page.
   * What it says about others is the snapshot's: hints for those who wait. Rank reads the table of sessions, for those who wait and until it has found enough: else the
   * heartbeats of N processes would read N² rows.
   */
  readonly heartbeat: SqlStatement<{ sessionId: string; holders: string }, HeartbeatRow>;
  /**
   * From the commit on the session is dead, and with it every lease of it is free (L1, S3). Clearing the rows only tidies up: up to `limit`, and what is locked is skipped. The
   * caller repeats it while a whole `limit` was cleared.
   */
  readonly closeSession: SqlStatement<{ sessionId: string; limit: number }, { readonly leaseCount: Whole; readonly contenderCount: Whole }>;
  /** One statement, one snapshot: the counts belong to the sessions. */
  readonly members: SqlStatement<Record<never, never>, MemberRow>;
  /** One statement, one snapshot. */
  readonly groups: SqlStatement<Record<never, never>, { readonly groupId: string }>;
  /**
   * Takes a bounded number of sessions that have been dead for long, and a bounded number of what belongs to them; what is locked is skipped, so that it waits for nobody. Sessions
   * are deleted when the snapshot shows nothing that belongs to them: the next `openSession` goes on. A lease that was granted just before its session died, and is left behind, is free
   * nevertheless: see the claim (S4, L2).
   */
  readonly prune: SqlStatement<{ retentionMs: number; sessionLimit: number; rowLimit: number }, unknown>;
}

/** Compiles {@link SessionSql}, once for a store. */
export function compileSessionSql(db: Kysely<WbTables>, { session, lease, term, contender }: StoreTables, channel: string): SessionSql {
  const nowMs = sql<number>`n.now_ms`;
  // The order of the key, in a form that the planner does not know it by: it would walk through the leases of all sessions along the key, until it has a whole `limit` of one that has few.
  const groupOrder = sql`l.group_id || ''`;
  return Object.freeze<SessionSql>({
    readClock: compiled(db, () => sql`select ${clockMs} as "nowMs"`),

    openSession: compiled(
      db,
      (p) => sql`
      with n as materialized (
        select ${clockMs} as now_ms
      ), opened as (
        insert into ${session} (session_id, member_id, ttl_ms, opened_at_ms, expires_at_ms, metadata)
        select ${p.sessionId}::text, ${p.memberId}::text, ${p.ttlMs}::bigint, ${nowMs}, ${nowMs} + ${p.ttlMs}::bigint, ${p.metadata}::text from n
        on conflict do nothing returning session_id
      )
      select (select count(*) from opened) as opened,
        case when exists (select from ${session} s where s.expires_at_ms <= ${nowMs} - ${p.retentionMs}::bigint) then 1 else 0 end as "hasLongDead"
      from n`,
    ),

    heartbeat: compiled(
      db,
      (p) => sql`
      with me as materialized (
        select s.session_id, s.closed, s.expires_at_ms, s.ttl_ms from ${session} s where s.session_id = ${p.sessionId}::text for no key update
      ), own as materialized (
        select m.session_id, m.closed, m.expires_at_ms, m.ttl_ms, ${clockMs} as now_ms from me m
      ), beat as (
        update ${session} s set
          expires_at_ms = case when n.expires_at_ms > ${nowMs} then ${nowMs} + n.ttl_ms else n.expires_at_ms end,
          closed = case when n.expires_at_ms > ${nowMs} then 0 else 1 end
        from own n where s.session_id = n.session_id and n.closed = 0
        returning s.session_id, s.closed, s.grant_count, s.opened_at_ms, s.expires_at_ms, ${nowMs} as now_ms
      )
      select n.closed, n.grant_count as "grantCount",
        case when cardinality(${p.holders}::text[]) = 0 then 0 else (select count(*) from (
          select from ${session} o where ${isLive('o', nowMs)} and (o.opened_at_ms, o.session_id) < (n.opened_at_ms, n.session_id)
          and o.session_id <> all (${p.holders}::text[]) limit ${sql.lit(MAX_STANDBY_RANK)}) older) end as rank,
        (select json_agg(json_build_array(
            case when s.session_id = n.session_id then n.expires_at_ms - ${nowMs} when ${isLive('s', nowMs)} and ${isCredible('s', nowMs)} then ${remainingMs('s', nowMs)} else 0 end,
            coalesce(s.release_count, 0)) order by h.at)::text
          from unnest(${p.holders}::text[]) with ordinality h (session_id, at) left join ${session} s on s.session_id = h.session_id) as holders
      from beat n`,
    ),

    closeSession: compiled(
      db,
      (p) => sql`
      with me as materialized (
        select s.session_id, s.closed, s.expires_at_ms from ${session} s where s.session_id = ${p.sessionId}::text for no key update
      ), own as materialized (
        select m.session_id, m.closed, m.expires_at_ms, ${clockMs} as now_ms from me m
      ), ended as (
        update ${session} s set closed = case when n.expires_at_ms > ${nowMs} then 2 else 1 end, expires_at_ms = least(n.expires_at_ms, ${nowMs}) from own n
        where s.session_id = n.session_id and n.closed = 0 returning s.session_id, s.closed, s.expires_at_ms
      ), locked as materialized (
        select l.group_id from (select count(*) from own) first cross join ${lease} l where l.session_id = ${p.sessionId}::text
        order by ${groupOrder} limit ${p.limit}::bigint for update of l skip locked
      ), freed as (
        update ${lease} l set session_id = null from locked k where l.group_id = k.group_id returning l.group_id, l.term
      ), dead as materialized (
        -- As it is now: ended just here, or before.
        select e.session_id, e.closed, e.expires_at_ms, n.now_ms from ended e cross join own n
        union all select n.session_id, n.closed, n.expires_at_ms, n.now_ms from own n where n.closed <> 0
      ), term_ended as (
        update ${term} t set ${endOfTerm('d.now_ms', 'd', sql`null`)} from freed f cross join dead d
        where t.group_id = f.group_id and t.term = f.term and t.session_id = d.session_id and ${isUnended}
      ), left_behind as materialized (
        select c.group_id from ${contender} c where c.session_id = ${p.sessionId}::text order by c.group_id limit ${p.limit}::bigint for update of c skip locked
      ), withdrawn as (
        delete from ${contender} c using left_behind b where c.session_id = ${p.sessionId}::text and c.group_id = b.group_id returning c.group_id
      ), notified as materialized (${notification(channel, 'freed', FREED_MARK)}
      )
      select (select count(*) from freed) as "leaseCount", (select count(*) from withdrawn) as "contenderCount",
        (select count(*) from ended) as ended, (select count(*) from notified) as notified`,
    ),

    groups: compiled(
      db,
      () => sql`
      with n as materialized (select ${clockMs} as now_ms),
      live as materialized (select s.session_id from ${session} s cross join n where ${isLive('s', nowMs)})
      select l.group_id as "groupId" from ${lease} l join live on live.session_id = l.session_id
      union select c.group_id from ${contender} c join live on live.session_id = c.session_id`,
    ),

    members: compiled(
      db,
      () => sql`
      with n as materialized (select ${clockMs} as now_ms)
      select s.session_id as "sessionId", s.member_id as "memberId", s.ttl_ms as "ttlMs", ${remainingMs('s', nowMs)} as "remainingMs",
        -- A clock that was set back must not make a session younger than nothing.
        greatest(${nowMs} - s.opened_at_ms, 0) as "ageMs", s.metadata,
        (select count(*) from ${lease} l where l.session_id = s.session_id) as "leaseCount",
        (select count(*) from (select c.group_id from ${contender} c where c.session_id = s.session_id
          union select l.group_id from ${lease} l where l.session_id = s.session_id) g) as "contendCount"
      from ${session} s cross join n where ${isLive('s', nowMs)} order by s.opened_at_ms, s.session_id`,
    ),

    prune: compiled(
      db,
      (p) => sql`
      with n as materialized (
        select ${clockMs} as now_ms
      ), dead as materialized (
        select s.session_id, s.closed, s.expires_at_ms, n.now_ms from n join ${session} s on s.expires_at_ms <= ${nowMs} - ${p.retentionMs}::bigint
        order by s.session_id limit ${p.sessionLimit}::bigint for update of s skip locked
      ), leases as materialized (
        select l.group_id from dead d join ${lease} l on l.session_id = d.session_id order by ${groupOrder} limit ${p.rowLimit}::bigint for update of l skip locked
      ), freed as (
        update ${lease} l set session_id = null from leases k where l.group_id = k.group_id returning l.group_id, l.term
      ), term_ended as (
        update ${term} t set ${endOfTerm('d.now_ms', 'd', sql`null`)} from freed f cross join dead d
        where t.group_id = f.group_id and t.term = f.term and t.session_id = d.session_id and ${isUnended}
      ), contenders as materialized (
        select c.session_id, c.group_id from dead d join ${contender} c on c.session_id = d.session_id
        order by c.session_id, c.group_id limit ${p.rowLimit}::bigint for update of c skip locked
      ), withdrawn as (
        delete from ${contender} c using contenders k where c.session_id = k.session_id and c.group_id = k.group_id
      ), bare as materialized (
        select d.session_id from dead d where not exists (select from ${lease} l where l.session_id = d.session_id)
          and not exists (select from ${contender} c where c.session_id = d.session_id)
      )
      delete from ${session} s using bare b where s.session_id = b.session_id`,
    ),
  });
}
