/**
 * The statements of a fence (L6, T8).
 *
 * They lock the row of the lease with `for share`: that conflicts with every claim, release and close (`for update`, or an update), and with nothing else. `for key share` would not do: it goes
 * along with an update that leaves the key alone, so that a snapshot from before a takeover could still lock the row as it was. At `read committed` PostgreSQL looks
 * again at the newest version of the row; at `repeatable read` and `serializable` it fails (40001) if that is not the one of the snapshot.
 *
 * The row is waited for: a claim holds it for the rest of one statement. What does not stand fails in the database, so that no library can overlook it. Plain SQL cannot raise
 * an error, but it can fail on a value: a text that is no number. The text depends on a row, or it would be computed before there is one.
 *
 * @module
 */
import type { SqlStatement, WbTables } from '@wb/sql';
import { sql, type Kysely, type RawBuilder } from 'kysely';
import { compiled } from './compiled.js';
import { COMMIT_LEVEL } from './postgres-connection.js';
import { clockMs, type StoreTables } from './postgres-fragments.js';

/** A lease, exactly. */
export type LeaseArguments = { readonly groupId: string; readonly term: number; readonly sessionId: string };

/** What a fence returns if the lease stands. */
export interface FenceRow {
  readonly fenced: number;
  /** Whether the statement was a transaction of its own: then it has guarded nothing. Only right in a message of the simple protocol. */
  readonly isAlone: boolean;
}

/** The statements of a fence. */
export interface FenceSql {
  /**
   * For a transaction of the user's. Besides, it bounds the hold: if the client stops talking (a frozen process), the server ends the session, and so the transaction, when the lease's session would
   * have expired; at the earliest after a second. For this transaction only, and never longer than it was.
   */
  readonly fence: SqlStatement<LeaseArguments, FenceRow>;
  /** The last look, right before the commit and in one message with it: the client has no time to freeze in between. */
  readonly last: SqlStatement<LeaseArguments, FenceRow>;
  /**
   * The first statement of a fenced transaction: its limits, on the server and for this transaction alone, and a look at the lease without a lock. `transaction_timeout` is there from PostgreSQL 17 on;
   * before that the server limits each statement and each pause in between. Shorter limits stay. The commit is durable whatever the default is, as all that the store commits.
   */
  readonly begin: SqlStatement<LeaseArguments & { readonly holdMs: string }, { readonly stands: boolean; readonly readOnly: string }>;
  /** Whether the lease stands, without a lock. */
  readonly look: SqlStatement<LeaseArguments, { readonly stands: boolean }>;
}

/** The shortest time that a fence leaves a client that stops talking, in ms. */
const LEAST_IDLE_MS = 1_000;

const IDLE_TIMEOUT = 'idle_in_transaction_session_timeout';

/** Compiles {@link FenceSql}, once for a store. */
export function compileFenceSql(db: Kysely<WbTables>, { lease, session }: StoreTables): FenceSql {
  const fenced = sql`case count(*) when 0 then cast('wb-' || 'fenced: the lease does not stand' || left('', count(*)::int) as int) else 1 end as fenced,
      now() = statement_timestamp() as "isAlone"`;
  const matches = (p: { readonly [Name in keyof LeaseArguments]: RawBuilder<LeaseArguments[Name]> }): RawBuilder<unknown> =>
    sql`l.group_id = ${p.groupId}::text and l.term = ${p.term}::bigint and l.session_id = ${p.sessionId}::text`;
  const idleMs = boundedSetting(IDLE_TIMEOUT, sql`greatest(coalesce(max(held.remaining_ms), 0), ${sql.lit(LEAST_IDLE_MS)})`);
  return Object.freeze<FenceSql>({
    fence: compiled(
      db,
      (p) => sql`
      select ${fenced}, set_config(${sql.lit(IDLE_TIMEOUT)}, ${idleMs}, true) as "idleTimeout"
      from (select s.expires_at_ms - ${clockMs} as remaining_ms from ${lease} l left join ${session} s on s.session_id = l.session_id
        where ${matches(p)} for share of l) held`,
    ),
    begin: compiled(db, (p) => {
      const limit = (name: string): RawBuilder<unknown> =>
        sql`set_config(${sql.lit(name)}, ${boundedSetting(name, sql`${p.holdMs}::bigint`)}, true)`;
      return sql`
      select ${limit('statement_timeout')}, ${limit(IDLE_TIMEOUT)},
        case when current_setting('server_version_num')::int >= 170000 then ${limit('transaction_timeout')} end,
        set_config('synchronous_commit', ${sql.raw(COMMIT_LEVEL)}, true), current_setting('transaction_read_only') as "readOnly",
        exists (select from ${lease} l where ${matches(p)}) as stands`;
    }),
    last: compiled(db, (p) => sql`select ${fenced} from (select from ${lease} l where ${matches(p)} for share) held`),
    look: compiled(db, (p) => sql`select exists (select from ${lease} l where ${matches(p)}) as stands`),
  });
}

/** The value of a setting that is a time, in ms, for `set_config`: at most `limitMs`, and as it was if that is shorter. 0 stands for no limit. */
function boundedSetting(name: string, limitMs: RawBuilder<unknown>): RawBuilder<unknown> {
  const now = sql`extract(epoch from current_setting(${sql.lit(name)})::interval) * 1000`;
  return sql`least(coalesce(nullif(${now}, 0), ${limitMs}), ${limitMs})::bigint::text`;
}
