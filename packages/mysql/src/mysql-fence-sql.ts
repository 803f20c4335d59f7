/**
 * The statements of a fence (L6, T8).
 *
 * They lock the row of the lease with `lock in share mode`: that conflicts with every claim and release, which skip the row then, and with nothing else. A locking read sees the newest version of
 * the row at every isolation level, however old the transaction's snapshot is. (MariaDB from 11.6 on may refuse it instead: error 1020.)
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

/** The statements of a fence. */
export interface FenceSql {
  /** For every library: returns a row in which nothing matters. */
  readonly fence: StatementText;
  /** The same without a row: so the server's answer has its flags, among them whether there is a transaction. */
  readonly silentFence: StepFactory<LeaseArguments>;
  /** Whether the lease stands, without a lock. */
  readonly look: StepFactory<LeaseArguments, { readonly stands: number; readonly server: string }>;
}

const MATCHES = 'l.group_id = :groupId and l.term = :term and l.session_id = :sessionId';
const FROM = `from {lease} l force index (primary) where ${MATCHES} lock in share mode`;
/** The largest number that there is, and nothing added to it if there is such a row. */
const CHECK = "18446744073709551615 + if(count(*) = 1, 0, length('wb-' 'fenced')) > 0";

/** Prepares {@link FenceSql}, once for a store. */
export function compileFenceSql({ read, write, text }: StatementCompiler): FenceSql {
  return Object.freeze<FenceSql>({
    fence: text(`select ${CHECK} as fenced ${FROM}`),
    silentFence: write(`select ${CHECK} into @wb_fenced ${FROM}`),
    look: read(`select exists (select 1 from {lease} l where ${MATCHES}), ${SERVER}`, { stands: 'integer', server: 'text' }),
  });
}
