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
   * have expired; at the earliest after a second. So it does with each statement that takes longer, and, from PostgreSQL 17 on, with the transaction as a whole. For this transaction only, and never longer than it was.
   */
  readonly fence: SqlStatement<LeaseArguments, FenceRow>;
  /** The last look, right before the commit and in one message with it: the client has no time to freeze in between. */
  readonly last: SqlStatement<LeaseArguments, FenceRow>;
  /**
   * The first statement of a fenced transaction on somebody else's connection: its limits, on the server and for this transaction alone, and a look at the lease without a lock. `transaction_timeout` is there from PostgreSQL 17 on;
   * before that the server limits each statement and each pause in between. Shorter limits stay. The commit is durable whatever the default is, as all that the store commits.
   */
  readonly begin: SqlStatement<LeaseArguments & { readonly holdMs: string }, LookRow>;
  /** Whether the lease stands, without a lock; and whether the server takes writes. */
  readonly look: SqlStatement<LeaseArguments, LookRow>;
  /** The limits that transactions on a connection have already, in ms; 0 for none, `null` where the server does not know it (`transaction_timeout`, before 17). */
  readonly limits: SqlStatement<Record<never, never>, LimitsRow>;
}

/** What a look at the lease returns. */
export interface LookRow {
  readonly stands: boolean;
  readonly readOnly: string;
}

/** See {@link FenceSql.limits}. */
export interface LimitsRow {
  readonly statementMs: number;
  readonly idleMs: number;
  readonly transactionMs: number | null;
}

/** The shortest time that a fence leaves to what comes after it, in ms. */
const LEAST_HOLD_MS = 1_000;

const IDLE_TIMEOUT = 'idle_in_transaction_session_timeout';

/** Compiles {@link FenceSql}, once for a store. */
export function compileFenceSql(db: Kysely<WbTables>, { lease, session }: StoreTables): FenceSql {
  const fenced = sql`case count(*) when 0 then cast('wb-' || 'fenced: the lease does not stand' || left('', count(*)::int) as int) else 1 end as fenced,
      now() = statement_timestamp() as "isAlone"`;
  const matches = (p: { readonly [Name in keyof LeaseArguments]: RawBuilder<LeaseArguments[Name]> }): RawBuilder<unknown> =>
    sql`l.group_id = ${p.groupId}::text and l.term = ${p.term}::bigint and l.session_id = ${p.sessionId}::text`;
  const limit = (name: string, limitMs: RawBuilder<unknown>): RawBuilder<unknown> =>
    sql`set_config(${sql.lit(name)}, ${boundedSetting(name, limitMs)}, true)`;
  /** All limits of a transaction: of each statement, of each pause and, where the server has it, of the whole. */
  const limits = (limitMs: RawBuilder<unknown>): RawBuilder<unknown> => sql`
      ${limit('statement_timeout', limitMs)}, ${limit(IDLE_TIMEOUT, limitMs)},
        case when current_setting('server_version_num')::int >= 170000 then ${limit('transaction_timeout', limitMs)} end`;
  const remainingMs = sql`greatest(coalesce(max(held.remaining_ms), 0), ${sql.lit(LEAST_HOLD_MS)})`;
  return Object.freeze<FenceSql>({
    fence: compiled(
      db,
      (p) => sql`
      select ${fenced}, ${limits(remainingMs)}
      from (select s.expires_at_ms - ${clockMs} as remaining_ms from ${lease} l left join ${session} s on s.session_id = l.session_id
        where ${matches(p)} for share of l) held`,
    ),
    begin: compiled(
      db,
      (p) => sql`
      select ${limits(sql`${p.holdMs}::bigint`)},
        set_config('synchronous_commit', ${sql.raw(COMMIT_LEVEL)}, true), current_setting('transaction_read_only') as "readOnly",
        exists (select from ${lease} l where ${matches(p)}) as stands`,
    ),
    last: compiled(db, (p) => sql`select ${fenced} from (select from ${lease} l where ${matches(p)} for share) held`),
    look: compiled(
      db,
      (p) =>
        sql`select current_setting('transaction_read_only') as "readOnly", exists (select from ${lease} l where ${matches(p)}) as stands`,
    ),
    limits: compiled(
      db,
      () => sql`
      select ${settingMs('statement_timeout')}::float8 as "statementMs", ${settingMs(IDLE_TIMEOUT)}::float8 as "idleMs",
        case when current_setting('server_version_num')::int >= 170000 then ${settingMs('transaction_timeout')} end::float8 as "transactionMs"`,
    ),
  });
}

/** The value of a setting that is a time, in ms, for `set_config`: at most `limitMs`, and as it was if that is shorter. 0 stands for no limit. */
function boundedSetting(name: string, limitMs: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`least(coalesce(nullif(${settingMs(name)}, 0), ${limitMs}), ${limitMs})::bigint::text`;
}

function settingMs(name: string): RawBuilder<unknown> {
  return sql`extract(epoch from current_setting(${sql.lit(name)})::interval) * 1000`;
}
