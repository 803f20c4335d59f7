/**
 * The statements about leases and contenders. Each is one statement, and so one transaction and one round trip. They run in READ COMMITTED, where three
 * things have to be kept apart:
 *
 * - *What was seen*: a plain read shows the snapshot of the statement's beginning, however long it waits after that.
 * - *What is locked*: `for update` returns the newest committed version of each row, and checks the conditions on **that row** again; rows of other tables
 *   in the same join are still those of the snapshot.
 * - *What is for ever*: `closed <> 0` is never taken back (S2), and a deleted session never comes back (ids are never used twice). A snapshot that shows this
 *   is as good as a lock.
 *
 * So a decision here rests on rows that this statement has locked, or on facts that are for ever; never on a join of the two kinds.
 *
 * **Waiting.** A claim, release or close waits for one row only: its own session's, and does so before it locks anything else. Every other row is locked with `skip locked`,
 * so that a fenced transaction that hangs holds up its own group and no batch (T8), and no two batches can deadlock. (The one more wait is that of an insert for another
 * claim's insert of the same new group: those are made in sorted order, after everything else.) All rows are locked in sorted order nevertheless.
 *
 * Decisions come as joins to materialized CTEs, never as sub-selects: when PostgreSQL checks an updated row again, it keeps the joined row, but would run a sub-select anew.
 *
 * @module
 */
import { MAX_TERM_RECORDS } from '@wb/core';
import type { SqlStatement, WbTables } from '@wb/sql';
import { sql, type Kysely } from 'kysely';
import { compiled } from './compiled.js';
import { FREED_MARK, clockMs, isLive, notification, remainingMs, type StoreTables } from './postgres-fragments.js';
import { endOfTerm, isUnended } from './postgres-term-sql.js';

/** A whole number as drivers return it: `bigint` columns come as text. */
export type Whole = string | number;

/** A lease with its live holder, if it has one. */
export interface LeaseRow {
  readonly groupId: string;
  readonly term: Whole | null;
  readonly sessionId: string | null;
  readonly memberId: string | null;
  readonly remainingMs: Whole | null;
  readonly releaseCount: Whole | null;
}

/** What became of one group of a claim. */
export interface ClaimRow extends LeaseRow {
  readonly kind: 'fresh' | 'again' | 'held' | 'busy' | 'session-dead';
}

/** What became of one lease of a release. */
export interface ReleaseRow {
  readonly groupId: string;
  readonly term: Whole;
  readonly kind: 'released' | 'not-held' | 'busy';
}

/** Groups of a session; arrays are PostgreSQL array literals. */
type Groups = { readonly sessionId: string; readonly groupIds: string };

export interface LeaseSql {
  /**
   * Claims groups, each named once.
   *
   * 1. `me` locks the claimant's session: it waits for whatever that session is doing, and nobody can close it until we commit (T10). `live` then reads the clock,
   *    behind that wait (T1), and is empty if the session is dead. This instant is the claim's: the later ones below can only be later, so that whoever was dead at it is dead.
   * 2. `seen`: leases and holders as of the snapshot. A group of a live session that is not ours is refused by this alone: nothing is locked or written for it.
   * 3. `settled` locks the holders' sessions that look expired, if nobody else has them locked, and looks again at the locked row. **This is L5**: a heartbeat that has updated the
   *    row, and not committed, has it locked: it is skipped, and so is the grant. One that committed is what we look at. One that comes later waits for us, and finds
   *    `closed = 1`, which is the guarded write that declares the session dead. An expiry farther off than the TTL, which only a clock that was set back leaves behind, is drawn in.
   * 4. `locked` locks the leases, their newest versions. A lease that is fenced, or that another claim has, is skipped: `busy`.
   * 5. `free`: a locked lease without a session; or one whose session, by its newest version, was declared dead, or was seen closed; or one that is as it was seen, term and
   *    all, with a session that did not exist then: it was there when the lease was granted, so it was deleted, dead. A lease whose session changed since the snapshot fits
   *    none of these, unless that session is dead for ever.
   * 6. `born` inserts the groups that never had a lease. The primary key decides: who comes second inserts nothing, and is `busy` until it looks again.
   * 7. `counted` counts on the claimant's locked row, in the same transaction (L2). `over` reads the clock once more, behind all that the statement could wait for: a claimant
   *    that has expired meanwhile is told so. Its grants are worth nothing then: the leases of a dead session are free (L1).
   */
  readonly claim: SqlStatement<Groups, ClaimRow>;
  /**
   * Frees what matches group, session and term exactly, by the newest version of the locked row, so that a duplicate that comes late frees nothing (L3), and counts on the session's
   * row in the same transaction. `not-held` is said of what does not match by the snapshot: the term was granted before, and does not come back. What matched and could not be locked
   * (a fence of our own) is `busy`: the caller asks again. `is not distinct from` keeps the planner from walking through all leases of the session. No step looks up in `asked` what an earlier one can bring along: the planner takes
   * an array for ten rows, and would compare each with each.
   */
  readonly release: SqlStatement<{ sessionId: string; groupIds: string; terms: string; reasons: string }, ReleaseRow>;
  /** One statement, one snapshot: count and leases belong together. Without a row the session is dead. */
  readonly held: SqlStatement<
    { sessionId: string },
    { readonly grantCount: Whole; readonly groupId: string | null; readonly term: Whole | null; readonly resign: Whole | null }
  >;
  /** One statement, one snapshot: nothing is locked. In the order of the request. */
  readonly read: SqlStatement<{ groupIds: string }, LeaseRow & { readonly contenderCount: Whole }>;
  /** Inserts for a live session only; in one order, because two inserts of one key wait for each other. Repeating it changes nothing. */
  readonly contend: SqlStatement<Groups, unknown>;
  /** Deletes by primary key, in one order; repeating it changes nothing. */
  readonly withdraw: SqlStatement<Groups, unknown>;
}

/** Compiles {@link LeaseSql}, once for a store. */
export function compileLeaseSql(db: Kysely<WbTables>, { session, lease, term, contender }: StoreTables, channel: string): LeaseSql {
  const nowMs = sql<number>`n.now_ms`;
  return Object.freeze<LeaseSql>({
    claim: compiled(
      db,
      (p) => sql`
      with me as materialized (
        select s.session_id, s.member_id, s.closed, s.expires_at_ms from ${session} s where s.session_id = ${p.sessionId}::text for no key update
      ), own as materialized (
        select m.session_id, m.member_id, m.closed, m.expires_at_ms, ${clockMs} as now_ms from me m
      ), live as materialized (
        select o.session_id, o.member_id, o.now_ms, o.expires_at_ms from own o where o.closed = 0 and o.expires_at_ms > o.now_ms
      ), asked as materialized (
        select a.group_id from unnest(${p.groupIds}::text[]) a (group_id)
      ), seen as materialized (
        select a.group_id, l.term, l.session_id, l.session_id is not null and s.session_id is null as is_gone, s.closed <> 0 as is_closed,
          s.expires_at_ms <= ${nowMs} or s.expires_at_ms > ${nowMs} + s.ttl_ms as is_off,
          l.session_id = n.session_id as is_own, s.session_id is not null and ${isLive('s', nowMs)} as is_held,
          s.member_id, ${remainingMs('s', nowMs)} as remaining_ms, s.release_count
        from asked a cross join live n join ${lease} l on l.group_id = a.group_id left join ${session} s on s.session_id = l.session_id
      ), suspects as materialized (
        select distinct v.session_id from seen v where not v.is_own and v.is_off and not v.is_closed
      ), off as materialized (
        select s.session_id from suspects h cross join live n join ${session} s on s.session_id = h.session_id
        where s.closed = 0 and (s.expires_at_ms <= ${nowMs} or s.expires_at_ms > ${nowMs} + s.ttl_ms)
        order by s.session_id for no key update of s skip locked
      ), settled as (
        update ${session} s set closed = case when s.expires_at_ms <= ${nowMs} then 1 else 0 end, expires_at_ms = least(s.expires_at_ms, ${nowMs} + s.ttl_ms)
        from off o cross join live n where s.session_id = o.session_id returning s.session_id, s.closed
      ), dead as materialized (
        select t.session_id from settled t where t.closed = 1 union select v.session_id from seen v where v.is_closed
      ), wanted as materialized (
        select v.group_id, v.term, v.session_id, v.is_gone from seen v where v.is_own or not v.is_held
      ), locked as materialized (
        select l.group_id, l.term, l.session_id, w.is_gone and w.session_id = l.session_id and w.term = l.term as is_gone
        from wanted w join ${lease} l on l.group_id = w.group_id
        order by l.group_id for update of l skip locked
      ), free as materialized (
        select k.group_id, k.term + 1 as term, n.session_id from locked k cross join live n left join dead d on d.session_id = k.session_id
        where k.session_id is null or d.session_id is not null or k.is_gone
      ), taken as (
        update ${lease} l set term = f.term, session_id = f.session_id from free f where l.group_id = f.group_id returning l.group_id, l.term
      ), born as (
        insert into ${lease} (group_id, term, session_id)
        select a.group_id, 1, n.session_id from asked a cross join live n left join seen v on v.group_id = a.group_id
        where v.group_id is null order by a.group_id collate "C"
        on conflict (group_id) do nothing returning group_id, term
      ), granted as materialized (
        select t.group_id, t.term from taken t union all select b.group_id, b.term from born b
      ), counted as (
        update ${session} s set grant_count = s.grant_count + g.n from (select count(*) as n from granted) g
        where s.session_id = ${p.sessionId}::text and g.n > 0 returning s.session_id
      ), recorded as (
        insert into ${term} (group_id, term, session_id, member_id, began_at_ms)
        select g.group_id, g.term, n.session_id, n.member_id, n.now_ms from granted g cross join live n on conflict do nothing
      ), forgotten as (
        delete from ${term} t using granted g
        where g.term > ${sql.lit(MAX_TERM_RECORDS)}::bigint and t.group_id = g.group_id and t.term = g.term - ${sql.lit(MAX_TERM_RECORDS)}::bigint
      ), notified as materialized (${notification(channel, 'granted')}
      ), over as materialized (
        select x.n, ${clockMs} as now_ms from (select (select count(*) from granted) + (select count(*) from notified) as n) x
      )
      select a.group_id as "groupId", coalesce(g.term, k.term, v.term) as term, v.session_id as "sessionId", v.member_id as "memberId",
        v.remaining_ms as "remainingMs", v.release_count as "releaseCount",
        case
          when n.session_id is null or n.expires_at_ms <= o.now_ms then 'session-dead'
          when g.group_id is not null then 'fresh'
          when k.session_id = n.session_id or k.group_id is null and v.is_own then 'again'
          when k.group_id is null and v.is_held then 'held'
          else 'busy'
        end as kind
      from asked a cross join over o left join live n on true
        left join granted g on g.group_id = a.group_id left join locked k on k.group_id = a.group_id left join seen v on v.group_id = a.group_id`,
    ),

    release: compiled(
      db,
      (p) => sql`
      with me as materialized (
        select s.session_id, s.closed, s.expires_at_ms from ${session} s where s.session_id = ${p.sessionId}::text for no key update
      ), asked as materialized (
        select a.group_id, a.term, a.reason from unnest(${p.groupIds}::text[], ${p.terms}::bigint[], ${p.reasons}::text[]) a (group_id, term, reason)
      ), seen as materialized (
        select a.group_id, a.term, a.reason from asked a join ${lease} l on l.group_id = a.group_id and l.term = a.term and l.session_id is not distinct from ${p.sessionId}::text
      ), locked as materialized (
        select l.group_id, v.reason, first.now_ms from (select ${clockMs} as now_ms from (select count(*) from me) waited) first cross join seen v join ${lease} l
          on l.group_id = v.group_id and l.term = v.term and l.session_id is not distinct from ${p.sessionId}::text
        order by l.group_id for update of l skip locked
      ), freed as (
        update ${lease} l set session_id = null from locked k where l.group_id = k.group_id returning l.group_id, l.term, k.reason, k.now_ms
      ), ended as (
        update ${term} t set ${endOfTerm('f.now_ms', 'm', sql`f.reason`)}
        from freed f left join me m on true
        where t.group_id = f.group_id and t.term = f.term and t.session_id = ${p.sessionId}::text and ${isUnended}
      ), counted as (
        update ${session} s set release_count = s.release_count + f.n from (select count(*) as n from freed) f
        where s.session_id = ${p.sessionId}::text and f.n > 0 returning s.session_id
      ), notified as materialized (${notification(channel, 'freed', FREED_MARK)}
      ), over as materialized (
        select count(*) as n from notified
      )
      select a.group_id as "groupId", a.term,
        case when f.group_id is not null then 'released' when v.group_id is not null then 'busy' else 'not-held' end as kind
      from asked a cross join over o left join freed f on f.group_id = a.group_id and f.term = a.term left join seen v on v.group_id = a.group_id and v.term = a.term`,
    ),

    held: compiled(
      db,
      (p) => sql`
      with n as materialized (select ${clockMs} as now_ms)
      select s.grant_count as "grantCount", l.group_id as "groupId", l.term, t.resign
      from ${session} s cross join n left join ${lease} l on l.session_id = s.session_id
        left join ${term} t on t.group_id = l.group_id and t.term = l.term and t.session_id = l.session_id
      where s.session_id = ${p.sessionId}::text and ${isLive('s', nowMs)} order by l.group_id`,
    ),

    read: compiled(
      db,
      (p) => sql`
      with n as materialized (select ${clockMs} as now_ms)
      select a.group_id as "groupId", l.term, s.session_id as "sessionId", s.member_id as "memberId", ${remainingMs('s', nowMs)} as "remainingMs",
        s.release_count as "releaseCount",
        (select count(*) from ${contender} c join ${session} o on o.session_id = c.session_id
          where c.group_id = a.group_id and ${isLive('o', nowMs)} and c.session_id is distinct from s.session_id)
          -- The holder contends, whether it has said so or not.
          + case when s.session_id is null then 0 else 1 end as "contenderCount"
      from n cross join unnest(${p.groupIds}::text[]) with ordinality a (group_id, at)
        left join ${lease} l on l.group_id = a.group_id
        left join ${session} s on s.session_id = l.session_id and ${isLive('s', nowMs)}
      order by a.at`,
    ),

    contend: compiled(
      db,
      (p) => sql`
      insert into ${contender} (session_id, group_id)
      select s.session_id, a.group_id from ${session} s cross join unnest(${p.groupIds}::text[]) a (group_id)
      where s.session_id = ${p.sessionId}::text and ${isLive('s', clockMs)} order by a.group_id collate "C"
      on conflict do nothing`,
    ),

    withdraw: compiled(
      db,
      (p) => sql`
      with gone as materialized (
        select c.session_id, c.group_id from unnest(${p.groupIds}::text[]) a (group_id) join ${contender} c on c.group_id = a.group_id
        where c.session_id = ${p.sessionId}::text order by c.group_id for update of c
      )
      delete from ${contender} c using gone g where c.session_id = g.session_id and c.group_id = g.group_id`,
    ),
  });
}
