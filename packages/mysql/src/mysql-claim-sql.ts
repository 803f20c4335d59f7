/**
 * The statements about leases and contenders. Those that write run in the transactions that `mysql-session-sql.ts` describes, after `lockSession`.
 *
 * Nothing waits for the row of a lease: a transaction of a user's that guards itself with the lease holds that row, and may be frozen (T8). So the rows are taken by
 * `skip locked`, and what was skipped is left alone. The names of the rows that were taken stay on the server, in a variable that lives from one statement of the transaction to the next: so the whole
 * transaction is one packet, runs to its end without the client, and a client that is frozen in the middle of it keeps nothing locked.
 *
 * Read rights aside, no gap is locked at `read committed`; rows are inserted if they are missing, in order, and then updated by their primary key: never both in one statement.
 *
 * @module
 */
import { asBytes, asked, askedLeases, isLive, NOW_MS, remainingMs, UNCUT } from './mysql-fragments.js';
import type { StatementCompiler, Step, StepFactory } from './mysql-statement.js';

/** Groups of a session; `groupIds` is a sorted JSON array of texts. */
type Groups = { readonly sessionId: string; readonly groupIds: string };

/** Leases of a session; `leases` is a sorted JSON array of `[group, term]`. */
type Leases = { readonly sessionId: string; readonly leases: string };

/** A place in the batch, from 1 on. */
export interface PlaceRow {
  readonly place: number;
}

/** A lease, with its holder's session if that exists and is not closed. */
export interface LeaseRow extends PlaceRow {
  readonly term: number | null;
  readonly sessionId: string | null;
  readonly memberId: string | null;
  readonly isLive: number | null;
  /** 1 when the clock was set back so far that the expiry cannot be believed. */
  readonly isOdd: number | null;
  readonly remainingMs: number | null;
  readonly releaseCount: number | null;
}

/** A lease as `read` sees it. */
export interface LeaseViewRow extends LeaseRow {
  readonly contenderCount: number;
}

export interface LeaseSql {
  /** The leases with their holders. Outside the claim's transaction a first look, in it what came of it. */
  readonly leases: StepFactory<{ groupIds: string }, LeaseRow>;
  /** Which groups the session holds. Under its lock nobody can give it one or take one away: before and after a grant this tells exactly what was granted. */
  readonly mine: StepFactory<Groups, PlaceRow>;
  /** Grants what nobody ever held, if the session is live: the primary key leaves the row to one of any number of claimants, and skips it for the others. */
  readonly grantNew: StepFactory<Groups>;
  /**
   * Takes the rows of the groups as far as nobody else has them, and keeps their names in `@wb_taken`. A list of names and no join with `json_table`: MySQL will not lock such a join, and
   * MariaDB forgets to skip in it.
   */
  readonly takeLeases: (groupIds: readonly string[]) => Step;
  /**
   * Grants what is free among the rows in `@wb_taken`: raising the term and taking the lease is one step, guarded by the row itself and by the two sessions. They are asked for `closed` only, which
   * never goes back to 0; who had expired was declared dead by the statements before.
   */
  readonly grantFree: StepFactory<{ sessionId: string }>;
  /** How many of the groups the session holds, kept in `@wb_before`. By a plain `select`: a query inside of an `update` or a `set` would lock what it counts, wait for it, and keep others from taking it. */
  readonly countBefore: StepFactory<Groups>;
  /** As {@link LeaseSql.countBefore}, in `@wb_after`. */
  readonly countAfter: StepFactory<Groups>;
  /**
   * Counts what was granted in between. Not by `row_count()`: when the client is gone, the server forgets how many rows the statement before has changed, and the transaction goes on all the same.
   */
  readonly countGrants: StepFactory<{ sessionId: string }>;
  /** Which of the leases the session holds, exactly as named. Under its lock that changes by this transaction only. */
  readonly heldExactly: StepFactory<Leases, PlaceRow>;
  /**
   * Frees what matches group, session and term exactly, among the rows in `@wb_taken`: the guard is in the write, so that a duplicate that comes late frees nothing. `distinct` makes a table of what was named, once: the list would be read
   * anew for each row. It merges nothing, since each has its place.
   */
  readonly release: StepFactory<Leases>;
  /** How many of the leases the session holds, exactly as named. */
  readonly countHeldBefore: StepFactory<Leases>;
  readonly countHeldAfter: StepFactory<Leases>;
  /** Counts what was released in between, in the transaction that releases: who sees the lease free sees the count. */
  readonly countReleases: StepFactory<{ sessionId: string }>;
  /** What a session holds. */
  readonly held: StepFactory<{ sessionId: string }, { readonly groupId: string; readonly term: number; readonly resign: number }>;
  /** {@link LeaseSql.leases}, with the number of those who contend; one statement, one snapshot. */
  readonly read: StepFactory<{ groupIds: string }, LeaseViewRow>;
  /** Inserts for a live session only; repeating it changes nothing. */
  readonly contend: StepFactory<Groups>;
  /** Deletes by primary key; repeating it changes nothing. */
  readonly withdraw: StepFactory<Groups>;
  /** Deletes at most `limit` rows of a dead session. */
  readonly clearContenders: StepFactory<{ sessionId: string; limit: number }>;
  /** At most `limit` groups that dead sessions still have their name on. */
  readonly leasesOf: StepFactory<{ sessionIds: string; limit: number }, { readonly groupId: string }>;
  /** Takes the dead sessions' names off the rows in `@wb_taken`. They are free already (L1); their terms stay (L2). */
  readonly clearLeases: StepFactory<{ sessionIds: string }>;
}

const LEASE_COLUMNS = {
  place: 'integer',
  term: 'integer',
  sessionId: 'text',
  memberId: 'text',
  isLive: 'integer',
  isOdd: 'integer',
  remainingMs: 'integer',
  releaseCount: 'integer',
} as const;

const LEASE_LIST = `asked.place, l.term, ${asBytes('s.session_id')}, ${asBytes('s.member_id')}, ${isLive('s')},
  s.expires_at_ms > ${NOW_MS} + s.ttl_ms, ${remainingMs('s')}, s.release_count`;

/** Outer joins keep the order: each named group, then its lease and the holder's session by their keys. */
const LEASES_FROM = `${asked(':groupIds')} left join {lease} l on l.group_id = asked.name
  left join {session} s on s.session_id = l.session_id and s.closed = 0`;

/** Whatever the optimizer thinks of a small table: a scan would wait for rows that are none of ours. */
const LEASE_BY_KEY = '{lease} l force index (primary)';

/** The groups in `@wb_taken`. */
const TAKEN = asked('convert(@wb_taken using utf8mb4)');

const FROM_MINE = `from ${asked(':groupIds')} straight_join {lease} l on l.group_id = asked.name where l.session_id = :sessionId`;

const FROM_HELD = `from ${askedLeases(':leases')} straight_join {lease} l on l.group_id = asked.name
  where l.session_id = :sessionId and l.term = asked.term`;

/** Prepares {@link LeaseSql}, once for a store. */
export function compileLeaseSql({ read, write, writeMany }: StatementCompiler): LeaseSql {
  return Object.freeze<LeaseSql>({
    leases: read(`select ${LEASE_LIST} from ${LEASES_FROM}`, LEASE_COLUMNS),

    mine: read(
      `select asked.place from ${asked(':groupIds')} straight_join {lease} l on l.group_id = asked.name where l.session_id = :sessionId`,
      { place: 'integer' },
    ),

    grantNew: write(`
      insert ignore into {lease} (group_id, term, session_id)
      select asked.name, 1, me.session_id from {session} me straight_join ${asked(':groupIds')}
      where me.session_id = :sessionId and me.closed = 0 order by asked.place`),

    takeLeases: writeMany(`
      ${UNCUT} select json_arrayagg(l.group_id) into @wb_taken from {lease} l force index (primary) where l.group_id in (:names) for update skip locked`),

    grantFree: write(`
      update ${TAKEN} straight_join ${LEASE_BY_KEY} on l.group_id = asked.name
      set l.term = l.term + 1, l.session_id = :sessionId
      where exists (select 1 from {session} me where me.session_id = :sessionId and me.closed = 0)
        and (l.session_id is null or not exists (select 1 from {session} s where s.session_id = l.session_id and s.closed = 0))`),

    countBefore: write(`select count(*) into @wb_before ${FROM_MINE}`),
    countAfter: write(`select count(*) into @wb_after ${FROM_MINE}`),
    countGrants: write('update {session} set grant_count = grant_count + @wb_after - @wb_before where session_id = :sessionId'),

    heldExactly: read(
      `select asked.place from {session} me straight_join ${askedLeases(':leases')} straight_join {lease} l on l.group_id = asked.name
      where me.session_id = :sessionId and me.closed = 0 and l.session_id = me.session_id and l.term = asked.term`,
      { place: 'integer' },
    ),

    release: write(`
      update ${TAKEN}
        straight_join ${LEASE_BY_KEY} on l.group_id = asked.name
        straight_join (select distinct * from ${askedLeases(':leases')}) named on named.name = l.group_id and named.term = l.term
      set l.session_id = null
      where l.session_id = :sessionId
        and exists (select 1 from {session} me where me.session_id = :sessionId and me.closed = 0)`),

    countHeldBefore: write(`select count(*) into @wb_before ${FROM_HELD}`),
    countHeldAfter: write(`select count(*) into @wb_after ${FROM_HELD}`),
    countReleases: write('update {session} set release_count = release_count + @wb_before - @wb_after where session_id = :sessionId'),

    held: read(
      `select ${asBytes('l.group_id')}, l.term, coalesce(t.resign, 0) from {lease} l
        left join {term} t on t.group_id = l.group_id and t.term = l.term and t.session_id = l.session_id
      where l.session_id = :sessionId order by l.group_id`,
      { groupId: 'text', term: 'integer', resign: 'integer' },
    ),

    read: read(
      `select ${LEASE_LIST},
        (select count(*) from {contender} c straight_join {session} cs on cs.session_id = c.session_id
          where c.group_id = asked.name and ${isLive('cs')} and not (${isLive('s')} and c.session_id = s.session_id and s.session_id is not null))
        + if(s.session_id is not null and ${isLive('s')}, 1, 0)
      from ${LEASES_FROM}`,
      { ...LEASE_COLUMNS, contenderCount: 'integer' },
    ),

    contend: write(`
      insert ignore into {contender} (session_id, group_id)
      select me.session_id, asked.name from {session} me straight_join ${asked(':groupIds')}
      where me.session_id = :sessionId and ${isLive('me')} order by asked.place`),

    withdraw: write(`
      delete c from ${asked(':groupIds')} straight_join {contender} c force index (primary) on c.session_id = :sessionId and c.group_id = asked.name`),

    clearContenders: write('delete from {contender} where session_id = :sessionId order by session_id, group_id limit :limit'),

    leasesOf: read(
      `select ${asBytes('l.group_id')} from ${asked(':sessionIds')} straight_join {lease} l on l.session_id = asked.name limit :limit`,
      { groupId: 'text' },
    ),

    clearLeases: write(`
      update ${TAKEN}
        straight_join ${LEASE_BY_KEY} on l.group_id = asked.name
        straight_join ${asked(':sessionIds').replace(/asked$/, 'dead')} on dead.name = l.session_id
      set l.session_id = null`),
  });
}
