/**
 * The statements about sessions. Each that writes runs between `start transaction` and `commit`, at `read committed`: every statement sees what is committed when
 * it begins, and an `update` waits for who has changed a row and not committed, and then looks at the row anew (L5).
 *
 * The row of a session is the lock of everything that concerns it: whoever changes its expiry or its leases takes that row first (`lockSession`), by its primary key. What the
 * later statements of the transaction read of it, and of its leases, stays so until the commit.
 *
 * @module
 */
import { MAX_STANDBY_RANK } from '@wb/core';
import { SERVER } from './server-identity.js';
import { asBytes, asked, isCredible, isLive, NOW_MS, remainingMs } from './mysql-fragments.js';
import type { StatementCompiler, StepFactory } from './mysql-statement.js';

type Session = { readonly sessionId: string };

/** The row of a session under its lock. */
export interface OwnRow {
  readonly closed: number;
  readonly grantCount: number;
  /** Where this was so (T6). */
  readonly server: string;
}

/** How a session is doing that the caller waits for. */
export interface HealthRow {
  readonly place: number;
  readonly remainingMs: number;
  readonly releaseCount: number;
}

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
  /** The store's clock by itself. */
  readonly readClock: StepFactory<Record<never, never>, { readonly nowMs: number }>;
  /** A plain insert: the primary key refuses an id that exists, live or dead. A wait makes the session shorter, never longer. */
  readonly openSession: StepFactory<{ sessionId: string; memberId: string; ttlMs: number; metadata: string }>;
  /** Takes the lock of the session; returns a row or none. The clock is read by the statements after it (T1). */
  readonly lockSession: StepFactory<Session, { readonly one: number }>;
  /**
   * One guarded write for both answers: a live session gets its new expiry, an expired one is declared dead for good (S2), a closed one stays as it is.
   * Both assignments go by the old expiry, in whatever order the server makes them: `closed` comes first, and the expiry is judged by itself. Neither column is in an index.
   */
  readonly beat: StepFactory<Session>;
  /** The session by a look without a lock. Only `closed` is definite: a heartbeat may be under way. */
  readonly liveSession: StepFactory<Session, { readonly closed: number; readonly isLive: number; readonly server: string }>;
  /** Writes down that the session has expired, if so: what follows in the transaction asks only for `closed`, and so by one instant. */
  readonly settleSession: StepFactory<Session>;
  /** The session as the transaction has left it. */
  readonly own: StepFactory<Session, OwnRow>;
  /** How many live sessions were opened before this one, up to {@link MAX_STANDBY_RANK}: heartbeats that read the whole table of sessions would read N² rows for N processes. */
  readonly standbyRank: StepFactory<Session & { holders: string }, { readonly rank: number }>;
  /** How the sessions that the caller waits for are doing. Dead and unknown ones: see the reader. */
  readonly holderHealth: StepFactory<{ holders: string }, HealthRow>;
  /**
   * Declares those sessions dead that have expired, before their leases are taken: a heartbeat that is under way holds the row, this waits for it and looks again (L5). The clock is
   * that of the statement's start, which can only make it judge *for* the session. An expiry that is farther away than the TTL, because the
   * server's clock was set back, is drawn in to now + TTL, which is still after the holder's own deadline. `sessionIds` is sorted.
   */
  readonly settleSessions: StepFactory<{ sessionIds: string }>;
  /** From the commit on the session is dead, and with it every lease of it is free (L1); the leases' rows need not be touched. */
  readonly closeSession: StepFactory<Session>;
  /** The live sessions, the oldest first. */
  readonly members: StepFactory<Record<never, never>, MemberRow>;
  /** One statement, one snapshot. */
  readonly groups: StepFactory<Record<never, never>, { readonly groupId: string }>;
  /** Sessions that have been dead for longer than `retentionMs`; a closed one's expiry is at most when it was closed. */
  readonly longDead: StepFactory<{ retentionMs: number; limit: number }, { readonly sessionId: string }>;
  /** Only sessions that nothing refers to any more. They are dead since long, and an unknown session is as dead as they are (S2, S4). */
  readonly deleteSessions: StepFactory<{ sessionIds: string }>;
}

/** Prepares {@link SessionSql}, once for a store. */
export function compileSessionSql({ read, write }: StatementCompiler): SessionSql {
  return Object.freeze<SessionSql>({
    readClock: read(`select ${NOW_MS}`, { nowMs: 'integer' }),

    openSession: write(`
      insert into {session} (session_id, member_id, ttl_ms, opened_at_ms, expires_at_ms, closed, grant_count, release_count, metadata)
      values (:sessionId, :memberId, :ttlMs, ${NOW_MS}, ${NOW_MS} + :ttlMs, 0, 0, 0, :metadata)`),

    lockSession: read('select 1 from {session} where session_id = :sessionId for update', { one: 'integer' }),

    beat: write(`
      update {session}
      set closed = if(expires_at_ms <= ${NOW_MS}, 1, 0), expires_at_ms = if(expires_at_ms <= ${NOW_MS}, expires_at_ms, ${NOW_MS} + ttl_ms)
      where session_id = :sessionId and closed = 0`),

    liveSession: read(`select s.closed, ${isLive('s')}, ${SERVER} from {session} s where s.session_id = :sessionId`, {
      closed: 'integer',
      isLive: 'integer',
      server: 'text',
    }),

    settleSession: write(`update {session} set closed = 1 where session_id = :sessionId and closed = 0 and expires_at_ms <= ${NOW_MS}`),

    own: read(`select closed, grant_count, ${SERVER} from {session} where session_id = :sessionId`, {
      closed: 'integer',
      grantCount: 'integer',
      server: 'text',
    }),

    standbyRank: read(
      `select count(*) from (select 1 from {session} me straight_join {session} s
      where me.session_id = :sessionId and ${isLive('s')}
        and (s.opened_at_ms < me.opened_at_ms or (s.opened_at_ms = me.opened_at_ms and s.session_id < me.session_id))
        and not exists (select 1 from ${asked(':holders')} where asked.name = s.session_id) limit ${MAX_STANDBY_RANK}) older`,
      { rank: 'integer' },
    ),

    holderHealth: read(
      `select asked.place, if(${isLive('s')} and ${isCredible('s')}, ${remainingMs('s')}, 0), s.release_count
      from ${asked(':holders')} straight_join {session} s on s.session_id = asked.name`,
      { place: 'integer', remainingMs: 'integer', releaseCount: 'integer' },
    ),

    settleSessions: write(`
      update ${asked(':sessionIds')} straight_join {session} s force index (primary) on s.session_id = asked.name
      set s.closed = if(s.expires_at_ms <= ${NOW_MS}, 1, 0), s.expires_at_ms = least(s.expires_at_ms, ${NOW_MS} + s.ttl_ms)
      where s.closed = 0 and (s.expires_at_ms <= ${NOW_MS} or s.expires_at_ms > ${NOW_MS} + s.ttl_ms)`),

    closeSession: write(`
      update {session} set closed = if(expires_at_ms > ${NOW_MS}, 2, 1), expires_at_ms = least(expires_at_ms, ${NOW_MS}) where session_id = :sessionId and closed = 0`),

    groups: read(
      `select ${asBytes('l.group_id')} from {session} s join {lease} l on l.session_id = s.session_id where ${isLive('s')}
      union select ${asBytes('c.group_id')} from {session} s join {contender} c on c.session_id = s.session_id where ${isLive('s')}`,
      { groupId: 'text' },
    ),

    members: read(
      `select ${asBytes('s.session_id')}, ${asBytes('s.member_id')}, s.ttl_ms, ${remainingMs('s')}, greatest(${NOW_MS} - s.opened_at_ms, 0),
        (select count(*) from {lease} l where l.session_id = s.session_id),
        (select count(*) from {contender} c where c.session_id = s.session_id)
          + (select count(*) from {lease} l where l.session_id = s.session_id
              and not exists (select 1 from {contender} c where c.session_id = l.session_id and c.group_id = l.group_id)),
        ${asBytes('s.metadata')}
      from {session} s where ${isLive('s')} order by s.opened_at_ms, s.session_id`,
      {
        sessionId: 'text',
        memberId: 'text',
        ttlMs: 'integer',
        remainingMs: 'integer',
        ageMs: 'integer',
        leaseCount: 'integer',
        contendCount: 'integer',
        metadata: 'text',
      },
    ),

    longDead: read(`select ${asBytes('session_id')} from {session} where expires_at_ms <= ${NOW_MS} - :retentionMs limit :limit`, {
      sessionId: 'text',
    }),

    deleteSessions: write(`
      delete s from ${asked(':sessionIds')} straight_join {session} s force index (primary) on s.session_id = asked.name
      where not exists (select 1 from {lease} l where l.session_id = s.session_id)
        and not exists (select 1 from {contender} c where c.session_id = s.session_id)`),
  });
}
