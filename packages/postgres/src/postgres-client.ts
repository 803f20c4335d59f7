import type { CallOptions } from '@wb/core';
import type { SqlArguments, SqlStatement } from '@wb/sql';
import { CallScope } from './call-scope.js';
import type { ConnectionSource } from './connection-source.js';
import { OwnConnections } from './own-connections.js';
import { PoolConnections } from './pool-connections.js';
import type { PostgresConnection, ServerLimits } from './postgres-connection.js';
import { faultOf, toStoreError, type CallStage } from './postgres-errors.js';
import type { ResolvedOptions } from './postgres-options.js';

/** How a call is made. */
export interface Call {
  readonly operation: string;
  readonly options: CallOptions | undefined;
  /** Goes before all others that wait for a connection. Default: `false`. */
  readonly isUrgent?: boolean;
  /** How long the work on the connection may take, in ms. Default: a little longer than the server allows a statement. */
  readonly limitMs?: number;
  /** How long it may wait for a connection, in ms. Default: as long as it takes to connect, or until one is free. */
  readonly waitMs?: number;
}

/** How much longer than the server's own limit a statement is waited for, in ms: the server's answer says more than our own deadline. */
const ANSWER_MS = 1_000;

/** What is lent is limited by who borrows it. */
const NO_LIMITS: ServerLimits = { statementTimeoutMs: 0, lockTimeoutMs: 0 };

/** Runs statements so that every call settles within its signal, and so that no connection with an open answer is ever used again (T5). */
export class PostgresClient {
  readonly #source: ConnectionSource;
  /** For transactions that last: no heartbeat has to wait for their connections. */
  readonly #lending: ConnectionSource;
  readonly #statementLimitMs: number;
  readonly #scopes = new Set<CallScope>();
  #closing: Promise<void> | null = null;

  constructor(options: ResolvedOptions) {
    const { source, pooler } = options;
    this.#statementLimitMs = options.statementTimeoutMs + ANSWER_MS;
    if (source.kind === 'pool') {
      this.#source = new PoolConnections({ ...options, pool: source.pool });
      this.#lending = this.#source;
    } else {
      const mode = pooler ? 'inline' : 'prepared';
      this.#source = new OwnConnections({ ...options, ...source, mode, isLent: false });
      this.#lending = new OwnConnections({ ...options, ...source, ...NO_LIMITS, mode, isLent: true });
    }
  }

  /** Runs one statement. */
  async run<Args extends SqlArguments, Row>(call: Call, statement: SqlStatement<Args, Row>, args: Args): Promise<readonly Row[]> {
    return await this.use(call, (connection) => connection.execute(call.operation, statement, args));
  }

  /** Runs `work` with a connection, which is given back if it is as good as before. */
  async use<T>(call: Call, work: (connection: PostgresConnection) => Promise<T>): Promise<T> {
    return await this.#scoped(call, async (scope) => {
      const connection = await this.#source.acquire(scope, { isUrgent: call.isUrgent ?? false });
      const result = await this.#work(call, scope, connection, work);
      connection.release();
      return result;
    });
  }

  /** Runs `body` with a connection for several statements. `body` gives it back when it is as good as before; one that it leaves is ended. */
  async lend<T>(call: Call, body: (connection: PostgresConnection, scope: CallScope) => Promise<T>): Promise<T> {
    return await this.#scoped(call, async (scope) => {
      const timer = call.waitMs === undefined ? null : scope.limitWait(call.waitMs, 'a connection was free');
      const connection = await this.#lending.acquire(scope, { isUrgent: false }).finally(() => timer?.cancel());
      try {
        return await body(connection, scope);
      } finally {
        connection.destroy();
      }
    });
  }

  /** A connection for long, after `prepare` has been run on it. The caller destroys it. */
  async dedicate(call: Call, prepare: (connection: PostgresConnection) => Promise<void>): Promise<PostgresConnection> {
    return await this.#scoped(call, async (scope) => {
      const connection = await this.#source.dedicate(scope);
      await this.#work(call, scope, connection, prepare);
      return connection;
    });
  }

  /** Waits for work that other calls may wait for, too; how it ends is up to itself. */
  async wait<T>(call: Call, work: Promise<T>): Promise<T> {
    // If nobody waits any more, nobody hears of its failure.
    work.catch(() => undefined);
    return await this.#scoped(call, (scope) => scope.wait(work, { limitMs: call.limitMs ?? this.#statementLimitMs, for: 'it was done' }));
  }

  /** Whether a call that is made now could do something. @throws `StoreError` if not. */
  assertOpen(call: Call): void {
    const scope = new CallScope(call.operation, call.options?.signal);
    scope.dispose();
    this.#assertGoingOn(scope);
  }

  /** Rejects what is under way, ends what is ours. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#closeSources();
    for (const scope of this.#scopes) scope.end(scope.closedError());
    return this.#closing;
  }

  #assertGoingOn(scope: CallScope): void {
    if (this.#closing) throw scope.closedError();
    scope.assertGoingOn();
  }

  async #closeSources(): Promise<void> {
    await Promise.all([...new Set([this.#source, this.#lending])].map((source) => source.close()));
  }

  async #scoped<T>(call: Call, body: (scope: CallScope) => Promise<T>): Promise<T> {
    const scope = new CallScope(call.operation, call.options?.signal);
    this.#scopes.add(scope);
    try {
      this.#assertGoingOn(scope);
      return await body(scope);
    } catch (error) {
      // Whatever broke because the call was ended: why it was ended says more.
      throw scope.fault ?? toStoreError(call.operation, error, 'connect');
    } finally {
      this.#scopes.delete(scope);
      scope.dispose();
    }
  }

  async #work<T>(
    call: Call,
    scope: CallScope,
    connection: PostgresConnection,
    work: (connection: PostgresConnection) => Promise<T>,
  ): Promise<T> {
    let stage: CallStage = 'connect';
    try {
      scope.assertGoingOn();
      stage = 'sent';
      scope.markSent();
      return await scope.wait(work(connection), { limitMs: call.limitMs ?? this.#statementLimitMs, for: 'the server answered' });
    } catch (error) {
      const fault = toStoreError(call.operation, error, stage);
      // Ours (a deadline, an abort, a server that is read-only): the answer, if it ever comes, must not be taken for another's.
      const isOurs = fault === error;
      if (isOurs || faultOf(error).isFatal === true) connection.destroy();
      else connection.release();
      if (isOurs && fault.code === 'STORE_TIMEOUT') this.#source.distrust(scope);
      throw fault;
    }
  }
}
