/**
 * The statements of a fence (L6, T8).
 *
 * They lock the row of the lease with `lock in share mode`: that conflicts with every claim and release, which skip the row then, and with nothing else. A locking read sees the newest version of
 * the row at every isolation level, however old the transaction's snapshot is. (MariaDB from 11.6 on may refuse it instead: error 1020.)
 *
 * Where other servers take writes, too (Galera, Group Replication), a lock reaches no further than its own server, and what was only read is not certified: a takeover on another one would pass by it. There the fence *writes*
 * the row. A write that changes nothing is none; so it is changed and changed back, in one statement: a table of two rows of which both are there already. Then of the fence and a takeover one fails: 1213, at the commit at the latest.
 *
 * What does not stand fails in the database, so that no library can overlook it. Plain SQL cannot raise an error, but a number can grow too large (1690), whatever `sql_mode` says; the message shows the
 * expression, and so our mark.
 *
 * @module
 */
import { SERVER } from './server-identity.js';
import type { StatementCompiler, StepFactory, StatementText } from './mysql-statement.js';

/** A lease, exactly. */
export type LeaseArguments = { readonly groupId: string; readonly term: number; readonly sessionId: string };

/** One way to hold the lease until the transaction ends. */
export interface FenceForm {
  /** For every library: of what it returns nothing matters. */
  readonly fence: StatementText;
  /** The same without a row: so the server's answer has its flags, among them whether there is a transaction. */
  readonly silentFence: StepFactory<LeaseArguments>;
}

/** The statements of a fence. */
export interface FenceSql {
  /** Locks the row, shared: several fenced transactions of the leader do not wait for each other. For a database with one writing server. */
  readonly locking: FenceForm;
  /** Writes the row: right for every database. */
  readonly writing: FenceForm;
  /** Whether the lease stands, without a lock. */
  readonly look: StepFactory<LeaseArguments, { readonly stands: number; readonly server: string }>;
}

const MATCHES = 'l.group_id = :groupId and l.term = :term and l.session_id = :sessionId';
const FROM = `from {lease} l force index (primary) where ${MATCHES} lock in share mode`;
/** The largest number that there is, and nothing added to it if there is such a row. */
const CHECK = "18446744073709551615 + if(count(*) = 1, 0, length('wb-' 'fenced')) > 0";

/** In the first of the two rows the lease has its session, in the second an empty name, which no session has. One that is missing is inserted free, and refused by the second. */
const WRITE = `insert into {lease} (group_id, term, session_id) values (:groupId, :term, null), (:groupId, :term, null)
  on duplicate key update session_id = if(18446744073709551615 + if(term = :term and session_id in (:sessionId, _utf8mb4 ''), 0, length('wb-' 'fenced')) > 0,
    if(session_id = :sessionId, _utf8mb4 '', :sessionId), null)`;

/** How a database is fenced. */
export function formOf({ locking, writing }: FenceSql, hasOtherWriters: boolean): FenceForm {
  return hasOtherWriters ? writing : locking;
}

/** Prepares {@link FenceSql}, once for a store. */
export function compileFenceSql({ read, write, text }: StatementCompiler): FenceSql {
  return Object.freeze<FenceSql>({
    locking: { fence: text(`select ${CHECK} as fenced ${FROM}`), silentFence: write(`select ${CHECK} into @wb_fenced ${FROM}`) },
    writing: { fence: text(WRITE), silentFence: write(WRITE) },
    look: read(`select exists (select 1 from {lease} l where ${MATCHES}), ${SERVER}`, { stands: 'integer', server: 'text' }),
  });
}
