/**
 * The statements about the record of terms. Those that write run in the transaction that grants, releases or tidies up, under the write lock of the whole
 * database: the record and the lease never disagree (H1, H2).
 *
 * @module
 */
import { MAX_TERM_RECORDS } from '@wb/core';
import { statement, type SqlStatement, type TermRow, type WbTables } from '@wb/sql';
import { sql, type Kysely } from 'kysely';
import { asked, isLive } from './sqlite-fragments.js';

export interface TermSql {
  /** One row for each fresh grant; `grants` is a JSON array of `[group, term]`. A row that is there already, of a lease that somebody has deleted by hand, stays: no record is worth a refused claim. */
  readonly recordTerms: SqlStatement<{ sessionId: string; grants: string; nowMs: number }, unknown>;
  /** Deletes what has become too old by these grants, by primary key: one row for each at most (H3). */
  readonly forgetTerms: SqlStatement<{ grants: string }, unknown>;
  /**
   * Notes the end of terms; `ends` is a JSON array of `[group, term, reason]`, with `null` for "as its session ended". A session that was dead by then had ended them before: its expiry is the
   * end, whatever was said.
   */
  readonly endTerms: SqlStatement<{ ends: string; nowMs: number }, unknown>;
  /** Marks the term that the session holds; changes no row if it was marked before (R3). */
  readonly markResign: SqlStatement<{ groupId: string; term: number; sessionId: string }, unknown>;
  /** Tells the session that something is new, in the transaction that marks (R1). */
  readonly countRequest: SqlStatement<{ sessionId: string }, unknown>;
  /** The last terms of each group, the latest first. */
  readonly history: SqlStatement<{ groupIds: string; limit: number; nowMs: number }, TermRow>;
}

/** Compiles {@link TermSql}, once for a store. */
export function compileTermSql(db: Kysely<WbTables>): TermSql {
  return Object.freeze<TermSql>({
    recordTerms: statement((p) =>
      db
        .insertInto('term')
        .columns(['group_id', 'term', 'session_id', 'member_id', 'began_at_ms'])
        .expression(
          db
            .selectFrom(asked(p.grants).as('asked'))
            .crossJoin('session as s')
            .where('s.session_id', '=', p.sessionId)
            .select([
              sql<string>`asked.value ->> 0`.as('group_id'),
              sql<number>`asked.value ->> 1`.as('term'),
              's.session_id',
              's.member_id',
              sql<number>`${p.nowMs}`.as('began_at_ms'),
            ]),
        )
        .onConflict((conflict) => conflict.doNothing()),
    ),

    forgetTerms: statement((p) =>
      db
        .deleteFrom('term')
        .where(
          sql<boolean>`(group_id, term) in (select value ->> 0, (value ->> 1) - ${sql.lit(MAX_TERM_RECORDS)} from ${asked(p.grants)})`,
        ),
    ),

    endTerms: statement((p) =>
      db
        .updateTable('term')
        .from(asked(p.ends).as('asked'))
        .leftJoin('session as s', (join) =>
          join.on(
            sql<boolean>`s.session_id = (select t.session_id from ${sql.table('term')} t where t.group_id = asked.value ->> 0 and t.term = asked.value ->> 1)`,
          ),
        )
        .set({
          ended_at_ms: sql<number>`min(${p.nowMs}, coalesce(s.expires_at_ms, ${p.nowMs}))`,
          end_reason: sql<string>`case when s.closed = 2 then coalesce(asked.value ->> 2, 'closed')
            when s.closed = 0 and s.expires_at_ms > ${p.nowMs} then coalesce(asked.value ->> 2, 'released') else 'expired' end`,
        })
        .where(sql<boolean>`${sql.ref('term.group_id')} = asked.value ->> 0 and ${sql.ref('term.term')} = asked.value ->> 1`)
        .where('ended_at_ms', 'is', null),
    ),

    markResign: statement((p) =>
      db
        .updateTable('term')
        .set({ resign: 1 })
        .where('group_id', '=', p.groupId)
        .where('term', '=', p.term)
        .where('session_id', '=', p.sessionId)
        .where('resign', '=', 0),
    ),

    countRequest: statement((p) =>
      db
        .updateTable('session')
        .set({ grant_count: sql<number>`grant_count + 1` })
        .where('session_id', '=', p.sessionId),
    ),

    history: statement((p) =>
      db
        .selectFrom(asked(p.groupIds).as('asked'))
        .innerJoin('term as t', 't.group_id', 'asked.value')
        .leftJoin('lease as l', (join) =>
          join.onRef('l.group_id', '=', 't.group_id').onRef('l.term', '=', 't.term').onRef('l.session_id', '=', 't.session_id'),
        )
        .leftJoin('session as s', 's.session_id', 't.session_id')
        // Of what was asked, not of `t`: then it is a bound of the search in the primary key, and not looked up for each term.
        .where(sql<boolean>`t.term > (select max(last.term) from ${sql.table('term')} last where last.group_id = asked.value) - ${p.limit}`)
        .select([
          't.group_id as groupId',
          't.term',
          't.session_id as sessionId',
          't.member_id as memberId',
          sql<number>`${p.nowMs} - t.began_at_ms`.as('beganAgoMs'),
          sql<number | null>`${p.nowMs} - t.ended_at_ms`.as('endedAgoMs'),
          't.end_reason as endReason',
          sql<number>`l.group_id is not null and ${isLive(p.nowMs)}`.as('stands'),
          's.closed',
          sql<number | null>`${p.nowMs} - s.expires_at_ms`.as('sessionEndedAgoMs'),
        ])
        .orderBy('asked.key')
        .orderBy('t.term', 'desc'),
    ),
  });
}
