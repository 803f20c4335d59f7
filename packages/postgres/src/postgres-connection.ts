import type { SqlArguments, SqlStatement } from '@wb/sql';
import { createHash } from 'node:crypto';
import { readOnlyError } from './postgres-errors.js';
import type { ServerIdentity } from './server-identity.js';
import { inlined } from './sql-literal.js';

/** What a connection needs of a `pg` client. */
export interface DriverClient {
  query(config: string | { readonly name: string; readonly text: string; readonly values: unknown[] }): Promise<unknown>;
  on(event: string, listener: (...values: unknown[]) => void): unknown;
  removeListener(event: string, listener: (...values: unknown[]) => void): unknown;
}

/** A connection of the driver's, open. */
export interface OpenClient {
  readonly client: DriverClient;
  /** For messages. */
  readonly server: string;
  readonly identity: ServerIdentity;
}

/** A message from the server, as the driver hands it on. */
export interface DriverNotification {
  readonly channel: string;
  readonly payload?: string;
}

/** The limits of the store's own statements, on the server, in ms. */
export interface ServerLimits {
  readonly statementTimeoutMs: number;
  readonly lockTimeoutMs: number;
}

/** How a connection is given back. */
export interface ConnectionEnd {
  /** It is as it was. */
  readonly release: () => void;
  /** It is of no use any more: closed at once, whatever it is doing (T5). */
  readonly destroy: () => void;
  /** Its server takes no writes: of several, another one is to be tried first. */
  readonly onReadOnly?: () => void;
}

/**
 * How statements are sent.
 *
 * - `'prepared'`: the connection is the store's own, and its settings were made when it was opened. A statement is parsed and planned once, under a name.
 * - `'inline'`: the connection belongs to somebody else, or to a pooler that may use another one for the next transaction. One message of the simple protocol has the settings, for this
 *   transaction alone, and the statement, with its values as literals: still one round trip. Several statements of one message are one transaction.
 */
export type SendMode = 'prepared' | 'inline';

/** A commit that was acknowledged is on the disk, whatever the default is: a term that was handed out must never be handed out again. Stronger settings stay. */
export const COMMIT_LEVEL = `case current_setting('synchronous_commit') when 'remote_apply' then 'remote_apply' else 'on' end`;

/**
 * For connections on which nothing runs but the store's own statements. Each of those is a few look-ups by key, whatever its values and however large the tables: one plan does, made when it is first run. Left to itself, PostgreSQL plans
 * a statement anew for the first five times, and planning a claim takes longer than running it: so did most hand-overs, since few processes claim often. A plan that is kept must not be one for tables that were small once (`enable_seqscan`),
 * and is not worth compiling (`jit`).
 */
const PLAN_SETTINGS = 'set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set jit = off; ';

/** What makes the settings for a connection of the store's own; the last result says whether the server is read-only. `isLent`: statements of the user's run on it, too. */
export function sessionSettings({ statementTimeoutMs, lockTimeoutMs }: ServerLimits, isLent: boolean): string {
  return `${isLent ? '' : PLAN_SETTINGS}set default_transaction_isolation = 'read committed'; select set_config('synchronous_commit', ${COMMIT_LEVEL}, false), set_config('statement_timeout', '${statementTimeoutMs}', false), \
set_config('lock_timeout', '${lockTimeoutMs}', false), current_setting('transaction_read_only') as "readOnly"`;
}

/** As {@link sessionSettings}, for one transaction. */
function transactionSettings({ statementTimeoutMs, lockTimeoutMs }: ServerLimits): string {
  return `set transaction isolation level read committed; select set_config('synchronous_commit', ${COMMIT_LEVEL}, true), set_config('statement_timeout', '${statementTimeoutMs}', true), \
set_config('lock_timeout', '${lockTimeoutMs}', true), current_setting('transaction_read_only') as "readOnly"; `;
}

interface DriverResult {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

const names = new WeakMap<object, string>();

/** A connection that one call at a time uses. */
export class PostgresConnection {
  readonly client: DriverClient;
  /** For messages: never has a password. */
  readonly server: string;
  /** Behind a pooler `null`: there is no telling which server the next transaction meets. */
  readonly identity: ServerIdentity;
  readonly #mode: SendMode;
  readonly #prefix: string;
  readonly #end: ConnectionEnd;
  #isOver = false;

  constructor({ client, server, identity }: OpenClient, mode: SendMode, limits: ServerLimits, end: ConnectionEnd) {
    this.client = client;
    this.server = server;
    this.identity = identity;
    this.#mode = mode;
    this.#prefix = transactionSettings(limits);
    this.#end = end;
  }

  /** Whether it is the store's own from its opening to its end: what is set or prepared on it stays. */
  get isOwn(): boolean {
    return this.#mode === 'prepared';
  }

  /** Runs one of the store's statements, in a transaction of its own and one round trip. */
  async execute<Args extends SqlArguments, Row>(
    operation: string,
    statement: SqlStatement<Args, Row>,
    args: Args,
  ): Promise<readonly Row[]> {
    if (this.#mode === 'prepared') {
      const result = await this.client.query({ name: nameOf(statement), text: statement.sql, values: statement.bind(args) });
      return (result as DriverResult).rows as readonly Row[];
    }
    const results = (await this.client.query(this.#prefix + inlined(statement, args))) as readonly DriverResult[];
    this.assertWritable(operation, results.at(-2));
    return results.at(-1)!.rows as readonly Row[];
  }

  /** Runs text that returns nothing that matters, or rows of the last statement. */
  async query(text: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const result = (await this.client.query(text)) as DriverResult | readonly DriverResult[];
    return (isMany(result) ? result.at(-1) : result)?.rows ?? [];
  }

  /** Runs several statements in one message: the rows of each. */
  async queries(text: string): Promise<readonly (readonly Readonly<Record<string, unknown>>[])[]> {
    const result = (await this.client.query(text)) as DriverResult | readonly DriverResult[];
    return (isMany(result) ? result : [result]).map(({ rows }) => rows);
  }

  /** @throws `StoreError` `STORE_REFUSED` */
  assertWritable(operation: string, settings: DriverResult | undefined): void {
    if (settings?.rows[0]?.['readOnly'] === 'off') return;
    this.#end.onReadOnly?.();
    throw readOnlyError(operation, this.server);
  }

  /** Gives it back. Idempotent. */
  release(): void {
    this.#over(this.#end.release);
  }

  /** Ends it. Idempotent. */
  destroy(): void {
    this.#over(this.#end.destroy);
  }

  #over(end: () => void): void {
    if (this.#isOver) return;
    this.#isOver = true;
    end();
  }
}

function isMany(result: DriverResult | readonly DriverResult[]): result is readonly DriverResult[] {
  return Array.isArray(result);
}

/** The name under which a statement is prepared. */
export function nameOf(statement: SqlStatement<SqlArguments, unknown> | object): string {
  const known = names.get(statement);
  if (known !== undefined) return known;
  const { sql } = statement as { readonly sql: string };
  const name = `wb_${createHash('sha256').update(sql).digest('hex').slice(0, 24)}`;
  names.set(statement, name);
  return name;
}
