/**
 * The statements about the record of terms. Those that write run in the transactions that grant, release and tidy up: the record and the lease never disagree (H1, H2).
 *
 * None of them locks the row of a lease, which a fenced transaction may hold (T8): what they need of leases is read by a plain `select` before, and kept on the server in a variable. A query inside of
 * an `update` or a `delete` would lock what it reads.
 *
 * @module
 */
import { MAX_TERM_RECORDS } from '@wb/core';
import type { TermRow } from '@wb/sql';
import { asBytes, asked, askedLeases, isLive, NOW_MS, UNCUT } from './mysql-fragments.js';
import type { StatementCompiler, StepFactory } from './mysql-statement.js';

/** A lease, exactly. */
type Lease = { readonly groupId: string; readonly term: number; readonly sessionId: string };

export interface TermSql {
  /** One row for each group of the batch that the session holds; those that it held before have theirs. A row that is there already, of a lease that somebody has deleted by hand, stays. */
  readonly recordTerms: StepFactory<{ sessionId: string; groupIds: string }>;
  /** Which records have become too old by the grants of the batch, kept in `@wb_old`. */
  readonly findOldTerms: StepFactory<{ sessionId: string; groupIds: string }>;
  /** Deletes them, by primary key: one row for each group at most (H3). */
  readonly forgetTerms: StepFactory<Record<never, never>>;
  /** Which of the leases the session does not hold (any more), kept in `@wb_ended`; `leases` is a sorted JSON array of `[group, term, reason]`. */
  readonly findReleased: StepFactory<{ sessionId: string; leases: string }>;
  /** Notes the end of those of its terms that have none yet, if the session lives: else they ended with it. */
  readonly endReleased: StepFactory<{ sessionId: string }>;
  /** The leases among the rows in `@wb_taken` that have the name of one of the sessions, kept in `@wb_ended`. */
  readonly findDead: StepFactory<{ sessionIds: string }>;
  /** Notes that their terms ended with their sessions. */
  readonly endDead: StepFactory<Record<never, never>>;
  /** Tells a live session that something is new, unless the term is marked already (R1, R3). Under the session's lock, before {@link TermSql.markResign}. */
  readonly countRequest: StepFactory<Lease>;
  /** Marks the term, under the session's lock. */
  readonly markResign: StepFactory<Lease>;
  /** The last terms of each group, the latest first; one statement, one snapshot. */
  readonly history: StepFactory<{ groupIds: string; limit: number }, TermRow>;
}

const ENDED = `json_table(convert(@wb_ended using utf8mb4), '$[*]' columns (place for ordinality, name varchar(255) character set utf8mb4 path '$[0]', term bigint path '$[1]',
  reason varchar(32) character set utf8mb4 path '$[2]')) asked straight_join {term} t force index (primary) on t.group_id = asked.name and t.term = asked.term
  straight_join {session} s force index (primary) on s.session_id = t.session_id`;

const MARKED = 't.group_id = :groupId and t.term = :term and t.session_id = :sessionId';

/** Prepares {@link TermSql}, once for a store. */
export function compileTermSql({ read, write }: StatementCompiler): TermSql {
  return Object.freeze<TermSql>({
    recordTerms: write(`
      insert ignore into {term} (group_id, term, session_id, member_id, began_at_ms, resign)
      select l.group_id, l.term, me.session_id, me.member_id, ${NOW_MS}, 0
      from {session} me straight_join ${asked(':groupIds')} straight_join {lease} l force index (primary) on l.group_id = asked.name
      where me.session_id = :sessionId and me.closed = 0 and l.session_id = me.session_id order by asked.place`),

    findOldTerms: write(`
      ${UNCUT} select json_arrayagg(json_array(l.group_id, l.term - ${MAX_TERM_RECORDS})) into @wb_old
      from ${asked(':groupIds')} straight_join {lease} l on l.group_id = asked.name where l.session_id = :sessionId and l.term > ${MAX_TERM_RECORDS}`),

    forgetTerms: write(`
      delete t from ${askedLeases('convert(@wb_old using utf8mb4)')}
        straight_join {term} t force index (primary) on t.group_id = asked.name and t.term = asked.term`),

    findReleased: write(`
      ${UNCUT} select json_arrayagg(json_array(asked.name, asked.term, asked.reason)) into @wb_ended
      from ${askedLeases(':leases').replace("'$[1]')", "'$[1]', reason varchar(32) character set utf8mb4 path '$[2]')")}
      where not exists (select 1 from {lease} l where l.group_id = asked.name and l.term = asked.term and l.session_id = :sessionId)`),

    endReleased: write(`
      update ${ENDED} set t.ended_at_ms = ${NOW_MS}, t.end_reason = asked.reason
      where t.session_id = :sessionId and t.ended_at_ms is null and s.closed = 0`),

    findDead: write(`
      ${UNCUT} select json_arrayagg(json_array(l.group_id, l.term)) into @wb_ended
      from ${asked('convert(@wb_taken using utf8mb4)')} straight_join {lease} l on l.group_id = asked.name
      where exists (select 1 from ${asked(':sessionIds').replace(/asked$/, 'dead')} where dead.name = l.session_id)`),

    endDead: write(`
      update ${ENDED} set t.ended_at_ms = least(s.expires_at_ms, ${NOW_MS}), t.end_reason = if(s.closed = 2, 'closed', 'expired') where t.ended_at_ms is null`),

    countRequest: write(`
      update {session} s force index (primary) straight_join {term} t force index (primary) on ${MARKED}
      set s.grant_count = s.grant_count + 1 where s.session_id = :sessionId and s.closed = 0 and t.resign = 0`),

    markResign: write(`
      update {session} s force index (primary) straight_join {term} t force index (primary) on ${MARKED}
      set t.resign = 1 where s.session_id = :sessionId and s.closed = 0 and t.resign = 0`),

    history: read(
      `select ${asBytes('t.group_id')}, t.term, ${asBytes('t.session_id')}, ${asBytes('t.member_id')}, ${NOW_MS} - t.began_at_ms, ${NOW_MS} - t.ended_at_ms,
        ${asBytes('t.end_reason')}, if(l.term = t.term and l.session_id = t.session_id and ${isLive('s')}, 1, 0), s.closed, ${NOW_MS} - s.expires_at_ms
      from ${asked(':groupIds')} straight_join {lease} l on l.group_id = asked.name
        straight_join {term} t on t.group_id = l.group_id and t.term > l.term - :limit
        left join {session} s on s.session_id = t.session_id
      order by asked.place, t.term desc`,
      {
        groupId: 'text',
        term: 'integer',
        sessionId: 'text',
        memberId: 'text',
        beganAgoMs: 'integer',
        endedAgoMs: 'integer',
        endReason: 'text',
        stands: 'integer',
        closed: 'integer',
        sessionEndedAgoMs: 'integer',
      },
    ),
  });
}
