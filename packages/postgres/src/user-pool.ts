/**
 * What this package needs of `pg`, as structural types: any version of the driver that fits will do, and its types do not leak into ours.
 *
 * @module
 */

/** A connection that was taken out of a pool, e.g. a `pg.PoolClient`. */
export interface UserPoolClient {
  query(text: string): Promise<unknown>;
  on(event: string, listener: (...values: unknown[]) => void): unknown;
  listeners(event: string): unknown[];
  removeListener(event: string, listener: (...values: unknown[]) => void): unknown;
  /** Gives it back; with `true` it is destroyed. */
  release(destroy?: boolean): void;
}

/** A pool, e.g. `new pg.Pool(…)`. */
export interface UserPool {
  connect(): Promise<UserPoolClient>;
  end(): Promise<void>;
}

/** Makes a pool. */
export type UserPoolFactory = () => UserPool | Promise<UserPool>;

/**
 * What a connection is made with: the fields of `pg.PoolConfig`. `max` is heeded by the store; everything else goes to the driver as it is, except
 * `statement_timeout`, `lock_timeout`, `query_timeout` and `connectionTimeoutMillis`, for which the store has options of its own.
 */
export interface PostgresConnectionConfig {
  readonly connectionString?: string | undefined;
  /** Several, for failover: `'db1,db2'`. */
  readonly host?: string | undefined;
  /** One for all hosts, or one for each: `'5432,5433'`. */
  readonly port?: number | string | undefined;
  readonly user?: string | undefined;
  readonly database?: string | undefined;
  readonly password?: unknown;
  readonly ssl?: unknown;
  /** The most connections that calls use at once; one more listens for hints. Default: 4. Range: 1 to 100. */
  readonly max?: number | null | undefined;
  readonly [option: string]: unknown;
}
