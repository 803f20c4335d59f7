/**
 * The statements about leases and contenders. As with those about sessions, each that writes runs between `begin immediate` and `commit`, under the write
 * lock of the whole database; a heartbeat is such a transaction too, so that a claim never reads around one that is not committed yet (L5).
 *
 * @module
 */
import { statement, type SqlStatement, type WbTables } from '@wb/sql';
import { sql, type Kysely } from 'kysely';
import { asked, isLive, remainingMs } from './sqlite-fragments.js';

/** Groups of a session; `groupIds` is a JSON array of strings. */
type Groups = { readonly sessionId: string; readonly groupIds: string };

/** A lease, with its holder if that is live. */
export interface LeaseRow {
  readonly key: number;
  readonly term: number | null;
  readonly sessionId: string | null;
  readonly memberId: string | null;
  readonly remainingMs: number | null;
  readonly releaseCount: number | null;
}

/** A lease as `read` sees it. */
export interface LeaseViewRow extends LeaseRow {
  readonly contenderCount: number;
}

export interface LeaseSql {
  /**
   * Grants what is free, and returns just that. Inserting, raising the term and taking the lease is one step for each group: the conflict on the primary key
   * leads to an update whose guard reads the very row that it would change, and the holder's session by the same clock as the claimant's. A group that this
   * statement has just granted (a duplicate in the batch) is not free any more, and neither is one that the claimant holds: L3 is left to `leases`.
   */
  readonly claim: SqlStatement<Groups & { nowMs: number }, { readonly groupId: string; readonly term: number }>;
  /** The leases with their live holders, read under the lock that the claim holds: what was not granted is refused by this same snapshot. */
  readonly leases: SqlStatement<{ groupIds: string; nowMs: number }, LeaseRow>;
  /**
   * Frees what matches group, session and term exactly, and returns just that: the guard is in the write, so that a duplicate that comes late frees nothing. `leases` is
   * a JSON array of `[group, term]`. The plus sign keeps SQLite from walking through all leases of the session instead of looking up those that were named.
   */
  readonly release: SqlStatement<{ sessionId: string; leases: string }, { readonly groupId: string; readonly term: number }>;
  /** What a session holds. */
  readonly held: SqlStatement<{ sessionId: string }, { readonly groupId: string; readonly term: number; readonly resign: number }>;
  /** {@link LeaseSql.leases}, with the number of those who contend; one statement, one snapshot. */
  readonly read: SqlStatement<{ groupIds: string; nowMs: number }, LeaseViewRow>;
  /** Takes the dead sessions' names off at most `limit` leases, and returns these. They are free already (L1); their terms stay (L2). */
  readonly clearLeases: SqlStatement<{ sessionIds: string; limit: number }, { readonly groupId: string; readonly term: number }>;
  /** Inserts for a live session only; repeating it changes nothing. */
  readonly contend: SqlStatement<Groups & { nowMs: number }, unknown>;
  /** Deletes by primary key; repeating it changes nothing. */
  readonly withdraw: SqlStatement<Groups, unknown>;
  /** Deletes at most `limit` rows of dead sessions. */
  readonly clearContenders: SqlStatement<{ sessionIds: string; limit: number }, unknown>;
}

/** Compiles {@link LeaseSql}, once for a store. */
export function compileLeaseSql(db: Kysely<WbTables>): LeaseSql {
  return Object.freeze<LeaseSql>({
    claim: statement((p) =>
      db
        .insertInto('lease')
        .columns(['group_id', 'term', 'session_id'])
        .expression(
          db
            .selectFrom(asked(p.groupIds).as('asked'))
            // SQLite cannot tell `on conflict` from a join's `on` without a `where`.
            .where(sql<boolean>`true`)
            .select(['asked.value', sql<number>`1`.as('term'), p.sessionId.as('session_id')]),
        )
        .onConflict((conflict) =>
          conflict
            .column('group_id')
            .doUpdateSet({ term: sql<number>`${sql.ref('lease.term')} + 1`, session_id: sql<string>`excluded.session_id` })
            .where(({ not, exists, selectFrom }) =>
              not(
                exists(
                  selectFrom('session as s')
                    .where(sql<boolean>`s.session_id = ${sql.ref('lease.session_id')}`)
                    .where(isLive(p.nowMs))
                    .select('s.session_id'),
                ),
              ),
            ),
        )
        .returning(['group_id as groupId', 'term']),
    ),

    leases: statement((p) => leasesOf(db, p).select(leaseColumns(p))),

    release: statement((p) =>
      db
        .updateTable('lease')
        .set({ session_id: null })
        .where(sql<boolean>`+session_id = ${p.sessionId}`)
        .where(sql<boolean>`(group_id, term) in (select value ->> 0, value ->> 1 from ${asked(p.leases)})`)
        .returning(['group_id as groupId', 'term']),
    ),

    held: statement((p) =>
      db
        .selectFrom('lease as l')
        .leftJoin('term as t', (join) =>
          join.onRef('t.group_id', '=', 'l.group_id').onRef('t.term', '=', 'l.term').onRef('t.session_id', '=', 'l.session_id'),
        )
        .where('l.session_id', '=', p.sessionId)
        .select(['l.group_id as groupId', 'l.term', sql<number>`coalesce(t.resign, 0)`.as('resign')])
        .orderBy('l.group_id'),
    ),

    read: statement((p) =>
      leasesOf(db, p)
        .select(leaseColumns(p))
        .select(
          sql<number>`${db
            .selectFrom('contender as c')
            .innerJoin('session as contending', 'contending.session_id', 'c.session_id')
            .where(sql<boolean>`c.group_id = asked.value and contending.closed = 0 and contending.expires_at_ms > ${p.nowMs}`)
            // The holder contends, whether it has said so or not.
            .where(sql<boolean>`c.session_id is not s.session_id`)
            .select((eb) => eb.fn.countAll<number>().as('count'))} + (s.session_id is not null)`.as('contenderCount'),
        ),
    ),

    clearLeases: statement((p) =>
      db
        .updateTable('lease')
        .set({ session_id: null })
        .where(
          'group_id',
          'in',
          db
            .selectFrom('lease')
            .where('session_id', 'in', db.selectFrom(asked(p.sessionIds).as('asked')).select('asked.value'))
            .select('group_id')
            .limit(p.limit),
        )
        .returning(['group_id as groupId', 'term']),
    ),

    contend: statement((p) =>
      db
        .insertInto('contender')
        .columns(['session_id', 'group_id'])
        .expression(
          db
            .selectFrom(asked(p.groupIds).as('asked'))
            .where(({ exists, selectFrom }) =>
              exists(selectFrom('session as s').where('s.session_id', '=', p.sessionId).where(isLive(p.nowMs)).select('s.session_id')),
            )
            .select([p.sessionId.as('session_id'), 'asked.value']),
        )
        .onConflict((conflict) => conflict.doNothing()),
    ),

    withdraw: statement((p) =>
      db
        .deleteFrom('contender')
        .where('session_id', '=', p.sessionId)
        .where('group_id', 'in', db.selectFrom(asked(p.groupIds).as('asked')).select('asked.value')),
    ),

    clearContenders: statement((p) =>
      db.deleteFrom('contender').where(
        sql<boolean>`(session_id, group_id) in ${db
          .selectFrom('contender')
          .where('session_id', 'in', db.selectFrom(asked(p.sessionIds).as('asked')).select('asked.value'))
          .select(['session_id', 'group_id'])
          .limit(p.limit)}`,
      ),
    ),
  });
}

type LeaseParameters = Parameters<Parameters<typeof statement<{ groupIds: string; nowMs: number }, LeaseRow>>[0]>[0];

/** Outer joins keep the order: each named group, then its lease and the holder's session by their keys. */
function leasesOf(db: Kysely<WbTables>, p: LeaseParameters) {
  return db
    .selectFrom(asked(p.groupIds).as('asked'))
    .leftJoin('lease as l', 'l.group_id', 'asked.value')
    .leftJoin('session as s', (join) => join.onRef('s.session_id', '=', 'l.session_id').on(isLive(p.nowMs)));
}

function leaseColumns(p: LeaseParameters) {
  return [
    'asked.key',
    'l.term',
    's.session_id as sessionId',
    's.member_id as memberId',
    remainingMs(p.nowMs).as('remainingMs'),
    's.release_count as releaseCount',
  ] as const;
}
