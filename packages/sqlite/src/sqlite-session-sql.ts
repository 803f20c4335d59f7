/**
 * The statements about sessions. Each that writes runs between `begin immediate` and `commit`: the write lock of the whole database is held, nobody
 * else writes until it is let go, and what one statement has read still holds for the next. That makes each *transaction* atomic; the comments
 * below say why each *statement* is right in it. `nowMs` is the answer of `storeNow` in the same transaction, read after the lock was had (T1).
 *
 * @module
 */
import { MAX_STANDBY_RANK } from '@wb/core';
import { statement, type SqlStatement, type WbTables } from '@wb/sql';
import { sql, type Expression, type Kysely } from 'kysely';
import { asked, isLive, remainingMs } from './sqlite-fragments.js';

/** A session, and a time. */
type At = { readonly sessionId: string; readonly nowMs: number };

/** What `members` returns of a session; `metadata` is JSON. */
export interface MemberRow {
  readonly sessionId: string;
  readonly memberId: string;
  readonly ttlMs: number;
  readonly remainingMs: number;
  readonly ageMs: number;
  readonly leaseCount: number;
  readonly contendCount: number;
  readonly metadata: string;
}

export interface SessionSql {
  /** The store's clock, in whole ms. SQLite keeps `'now'` still within one execution of one statement, so this is a statement of its own. */
  readonly storeNow: SqlStatement<Record<never, never>, { readonly nowMs: number }>;
  /** Inserts, or changes no row if the id exists: the primary key decides, not a look before. */
  readonly openSession: SqlStatement<{ sessionId: string; memberId: string; ttlMs: number; nowMs: number; metadata: string }, unknown>;
  /**
   * One guarded write for both answers: a live session gets its new expiry, an expired one is declared dead for good (S2), a closed or unknown one
   * returns no row. The expiry is in no index, so that one row is all that is written.
   */
  readonly heartbeat: SqlStatement<At, { readonly closed: number; readonly grantCount: number; readonly openedAtMs: number }>;
  /** How the sessions that the caller waits for are doing. Dead and unknown ones: see the reader. */
  readonly holderHealth: SqlStatement<
    { holders: string; nowMs: number },
    { readonly key: number; readonly remainingMs: number; readonly releaseCount: number }
  >;
  /** How many live sessions were opened before this one. Reads the whole table of sessions: it has a row for each process, not for each group. */
  readonly standbyRank: SqlStatement<At & { openedAtMs: number; holders: string }, { readonly rank: number }>;
  /** The session, if it is live. What it says stays so until the transaction ends, its expiry aside, which is why every transaction asks anew (T10). */
  readonly liveSession: SqlStatement<At, { readonly grantCount: number }>;
  /**
   * Writes down what the clock says about all sessions, before leases are judged by it: the expired are dead for good, also if the clock is set back
   * later; and an expiry that is farther away than the TTL, because the clock *was* set back, is drawn in to now + TTL, which is still after the holder's
   * own deadline. Writes nothing on most days.
   */
  readonly settleSessions: SqlStatement<{ nowMs: number }, unknown>;
  /** {@link SessionSql.settleSessions} for the sessions that a heartbeat asks about: a standby that only looks must not wait for a clock that was set back to catch up. */
  readonly settleHolders: SqlStatement<{ holders: string; nowMs: number }, unknown>;
  /** From the commit on the session is dead, and with it every lease of it is free (L1), whether its row is cleared yet or not. */
  readonly closeSession: SqlStatement<At, unknown>;
  /** Counts in the transaction that grants, so that the counter and the leases never disagree. */
  readonly countGrants: SqlStatement<{ sessionId: string; count: number }, unknown>;
  /** Counts in the transaction that releases: who sees the lease free sees the count. */
  readonly countReleases: SqlStatement<{ sessionId: string; count: number }, unknown>;
  /** One statement, one snapshot: the counts belong to the sessions. */
  readonly members: SqlStatement<{ nowMs: number }, MemberRow>;
  /** One statement, one snapshot. */
  readonly groups: SqlStatement<{ nowMs: number }, { readonly groupId: string }>;
  /** Sessions that have been dead since before `deadSinceMs`; a closed one's expiry is at most when it was closed. */
  readonly longDead: SqlStatement<{ deadSinceMs: number; limit: number }, { readonly sessionId: string }>;
  /** Only sessions that nothing refers to any more. They are dead since long, and an unknown session is as dead as they are (S2, S4). */
  readonly deleteSessions: SqlStatement<{ sessionIds: string }, unknown>;
}

/** Compiles {@link SessionSql}, once for a store. */
export function compileSessionSql(db: Kysely<WbTables>): SessionSql {
  return Object.freeze<SessionSql>({
    storeNow: statement(() => db.selectNoFrom(sql<number>`cast(round(unixepoch('subsec') * 1000) as integer)`.as('nowMs'))),

    openSession: statement((p) =>
      db
        .insertInto('session')
        .values({
          session_id: p.sessionId,
          member_id: p.memberId,
          ttl_ms: p.ttlMs,
          opened_at_ms: p.nowMs,
          expires_at_ms: sql<number>`${p.nowMs} + ${p.ttlMs}`,
          closed: 0,
          grant_count: 0,
          release_count: 0,
          metadata: p.metadata,
        })
        .onConflict((conflict) => conflict.doNothing()),
    ),

    heartbeat: statement((p) =>
      db
        .updateTable('session')
        .set({
          expires_at_ms: sql<number>`iif(expires_at_ms > ${p.nowMs}, ${p.nowMs} + ttl_ms, expires_at_ms)`,
          closed: sql<number>`expires_at_ms <= ${p.nowMs}`,
        })
        .where('session_id', '=', p.sessionId)
        .where('closed', '=', 0)
        .returning(['closed', 'grant_count as grantCount', 'opened_at_ms as openedAtMs']),
    ),

    holderHealth: statement((p) =>
      db
        .selectFrom(asked(p.holders).as('asked'))
        .crossJoin('session as s')
        .whereRef('s.session_id', '=', 'asked.value')
        .select([
          'asked.key',
          sql<number>`iif(${isLive(p.nowMs)}, ${remainingMs(p.nowMs)}, 0)`.as('remainingMs'),
          's.release_count as releaseCount',
        ]),
    ),

    standbyRank: statement((p) =>
      db
        .selectFrom(
          db
            .selectFrom('session as s')
            .where(isLive(p.nowMs))
            .where(sql<boolean>`(s.opened_at_ms, s.session_id) < (${p.openedAtMs}, ${p.sessionId})`)
            .where('s.session_id', 'not in', db.selectFrom(asked(p.holders).as('asked')).select('asked.value'))
            .select('s.session_id')
            .limit(sql.lit(MAX_STANDBY_RANK))
            .as('older'),
        )
        .select((eb) => eb.fn.countAll<number>().as('rank')),
    ),

    liveSession: statement((p) =>
      db.selectFrom('session as s').where('s.session_id', '=', p.sessionId).where(isLive(p.nowMs)).select('s.grant_count as grantCount'),
    ),

    settleSessions: statement((p) => settled(db, p)),

    settleHolders: statement((p) =>
      settled(db, p).where('session_id', 'in', db.selectFrom(asked(p.holders).as('asked')).select('asked.value')),
    ),

    closeSession: statement((p) =>
      db
        .updateTable('session')
        .set({ closed: sql<number>`iif(expires_at_ms > ${p.nowMs}, 2, 1)`, expires_at_ms: sql<number>`min(expires_at_ms, ${p.nowMs})` })
        .where('session_id', '=', p.sessionId)
        .where('closed', '=', 0),
    ),

    countGrants: statement((p) =>
      db
        .updateTable('session')
        .set({ grant_count: sql<number>`grant_count + ${p.count}` })
        .where('session_id', '=', p.sessionId),
    ),

    countReleases: statement((p) =>
      db
        .updateTable('session')
        .set({ release_count: sql<number>`release_count + ${p.count}` })
        .where('session_id', '=', p.sessionId),
    ),

    groups: statement((p) =>
      db
        .selectFrom('session as s')
        .innerJoin('lease as l', 'l.session_id', 's.session_id')
        .where(isLive(p.nowMs))
        .select('l.group_id as groupId')
        .union(
          db
            .selectFrom('session as s')
            .innerJoin('contender as c', 'c.session_id', 's.session_id')
            .where(isLive(p.nowMs))
            .select('c.group_id as groupId'),
        ),
    ),

    members: statement((p) =>
      db
        .selectFrom('session as s')
        .where(isLive(p.nowMs))
        .select([
          's.session_id as sessionId',
          's.member_id as memberId',
          's.ttl_ms as ttlMs',
          remainingMs(p.nowMs).as('remainingMs'),
          // A clock that was set back must not make a session younger than nothing.
          sql<number>`max(${p.nowMs} - s.opened_at_ms, 0)`.as('ageMs'),
          's.metadata',
        ])
        .select((eb) => [
          eb
            .selectFrom('lease as l')
            .whereRef('l.session_id', '=', 's.session_id')
            .select((count) => count.fn.countAll<number>().as('count'))
            .$asScalar()
            .as('leaseCount'),
          sql<number>`(${eb
            .selectFrom('contender as c')
            .whereRef('c.session_id', '=', 's.session_id')
            .select((count) => count.fn.countAll<number>().as('count'))} + ${eb
            .selectFrom('lease as l')
            .whereRef('l.session_id', '=', 's.session_id')
            .where(({ not, exists }) =>
              not(
                exists(
                  eb
                    .selectFrom('contender as c')
                    .whereRef('c.session_id', '=', 'l.session_id' as never)
                    .whereRef('c.group_id', '=', 'l.group_id' as never)
                    .select(sql<number>`1`.as('one')),
                ),
              ),
            )
            .select((count) => count.fn.countAll<number>().as('count'))})`.as('contendCount'),
        ])
        .orderBy('s.opened_at_ms')
        .orderBy('s.session_id'),
    ),

    longDead: statement((p) =>
      db.selectFrom('session as s').where('s.expires_at_ms', '<=', p.deadSinceMs).select('s.session_id as sessionId').limit(p.limit),
    ),

    deleteSessions: statement((p) =>
      db
        .deleteFrom('session as s')
        .where('s.session_id', 'in', db.selectFrom(asked(p.sessionIds).as('asked')).select('asked.value'))
        .where(({ not, exists, selectFrom }) =>
          not(exists(selectFrom('lease as l').whereRef('l.session_id', '=', 's.session_id').select('l.group_id'))),
        )
        .where(({ not, exists, selectFrom }) =>
          not(exists(selectFrom('contender as c').whereRef('c.session_id', '=', 's.session_id').select('c.group_id'))),
        ),
    ),
  });
}

/** Changes only what the clock has overtaken, or left behind. */
function settled(db: Kysely<WbTables>, { nowMs }: { readonly nowMs: Expression<number> }) {
  return db
    .updateTable('session')
    .set({
      closed: sql<number>`expires_at_ms <= ${nowMs}`,
      expires_at_ms: sql<number>`min(expires_at_ms, ${nowMs} + ttl_ms)`,
    })
    .where('closed', '=', 0)
    .where(sql<boolean>`(expires_at_ms <= ${nowMs} or expires_at_ms > ${nowMs} + ttl_ms)`);
}
