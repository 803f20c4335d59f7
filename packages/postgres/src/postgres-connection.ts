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

/** What makes the settings for a connection of the store's own; the last result says whether the server is read-only. */
export function sessionSettings({ statementTimeoutMs, lockTimeoutMs }: ServerLimits): string {
  return `set default_transaction_isolation = 'read committed'; select set_config('synchronous_commit', ${COMMIT_LEVEL}, false), set_config('statement_timeout', '${statementTimeoutMs}', false), \
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
    if (settings?.rows[0]?.['readOnly'] !== 'off') throw readOnlyError(operation, this.server);
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

function nameOf(statement: SqlStatement<SqlArguments, unknown> | object): string {
  const known = names.get(statement);
  if (known !== undefined) return known;
  const { sql } = statement as { readonly sql: string };
  const name = `wb_${createHash('sha256').update(sql).digest('hex').slice(0, 24)}`;
  names.set(statement, name);
  return name;
}
