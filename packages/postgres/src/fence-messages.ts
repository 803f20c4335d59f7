import type { SqlArguments, SqlStatement } from '@wb/sql';
import { nameOf, type DriverClient, type PostgresConnection } from './postgres-connection.js';
import type { FenceSql, LeaseArguments, LimitsRow } from './postgres-fence-sql.js';
import { inlined, literal } from './sql-literal.js';

/** The two messages of a fenced transaction, on one connection. */
export interface FenceMessages {
  /**
   * The first. It `looks` at the lease, and whether the server takes writes: as its last result; or does not, for a lease that `isTrusted`, where the look would be a statement more.
   * @param holdMs How long the server lets the transaction last. What is shorter already stays.
   */
  readonly begin: (args: LeaseArguments, holdMs: number, isTrusted: boolean) => { readonly text: string; readonly looks: boolean };
  /** The last: fences and commits. */
  readonly last: (args: LeaseArguments) => string;
}

/** Of the store's own connections, on which the statements are prepared. */
const ready = new WeakMap<DriverClient, FenceMessages>();

/** How fenced transactions are sent on a connection: somebody else's, on which nothing is left behind, and nothing relied on; or one that is ready for them. `null`: it is to be made ready. */
export function fenceMessages(sql: FenceSql, connection: PostgresConnection): FenceMessages | null {
  return connection.isOwn ? (ready.get(connection.client) ?? null) : inlineMessages(sql);
}

/** Makes a connection of the store's own ready for fenced transactions, in a round trip: then the server does not parse and plan a text for each. */
export async function prepareFences(sql: FenceSql, connection: PostgresConnection): Promise<FenceMessages> {
  const prepared = [sql.look, sql.last].map((statement) => `prepare ${nameOf(statement)} as ${statement.sql}`);
  const [limits] = (await connection.query([...prepared, sql.limits.sql].join('; '))) as readonly (LimitsRow & Record<string, unknown>)[];
  const messages = preparedMessages(sql, limits!);
  ready.set(connection.client, messages);
  return messages;
}

function inlineMessages(sql: FenceSql): FenceMessages {
  return {
    begin: (args, holdMs) => ({
      text: `begin isolation level read committed; ${inlined(sql.begin, { ...args, holdMs: String(holdMs) })}`,
      looks: true,
    }),
    last: (args) => `${inlined(sql.last, args)}; commit`,
  };
}

/** Isolation and durability are the connection's since it was opened. */
function preparedMessages(sql: FenceSql, limits: LimitsRow): FenceMessages {
  return {
    begin: (args, holdMs, isTrusted) => {
      const texts = ['begin', ...limitsWithin(limits, holdMs), ...(isTrusted ? [] : [execute(sql.look, args)])];
      return { text: texts.join('; '), looks: !isTrusted };
    },
    last: (args) => `${execute(sql.last, args)}; commit`,
  };
}

/**
 * `transaction_timeout` says it all, where there is none yet: the server does not start its clock anew when it is changed in a transaction. Else each statement and each pause is limited by itself.
 */
function limitsWithin({ statementMs, idleMs, transactionMs }: LimitsRow, holdMs: number): readonly string[] {
  const limit = (name: string, nowMs: number): readonly string[] =>
    nowMs !== 0 && nowMs <= holdMs ? [] : [`set local ${name} = ${holdMs}`];
  if (transactionMs === 0) return limit('transaction_timeout', 0);
  return [...limit('statement_timeout', statementMs), ...limit('idle_in_transaction_session_timeout', idleMs)];
}

function execute<Args extends SqlArguments>(statement: SqlStatement<Args, unknown>, args: Args): string {
  return `execute ${nameOf(statement)}(${statement.bind(args).map(literal).join(', ')})`;
}
