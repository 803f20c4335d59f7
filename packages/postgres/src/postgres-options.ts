import { WbOptionError } from '@wb/core';
import { assertNamespace, DEFAULT_NAMESPACE } from '@wb/sql';
import { hostsOf } from './hosts.js';
import type { PostgresConnectionConfig, UserPool, UserPoolFactory } from './user-pool.js';

/** What all ways of giving a database have in common. */
export interface PostgresCommonOptions {
  /** The schema of the tables: 1 to 63 bytes, not beginning with `pg_`, without a placeholder (`$1`, `?`). `migrate()` creates it if need be. Default: `'public'`. */
  readonly schema?: string;
  /** What the names of the tables begin with: 1 to 32 characters, a–z first, then a–z, 0–9 and `_`. Default: `'wb_'`. */
  readonly namespace?: string;
  /**
   * Whether there is a pooler in transaction mode (PgBouncer, Supavisor, RDS Proxy, …) between the store and the server. Then no statement is prepared by name, no setting outlives its transaction,
   * and nothing listens: `watch` is not there, and a hand-over is noticed by the next heartbeat. Default: `false`.
   */
  readonly pooler?: boolean;
  /** How long a server may take to let us in, in ms; the call's own deadline may end it sooner. Default: 5,000. Range: a whole number, 1 to 600,000. */
  readonly connectTimeoutMs?: number;
  /** How long one of the store's statements may run on the server, in ms. Default: 5,000. Range: a whole number, 1 to 600,000, at least `lockTimeoutMs`. */
  readonly statementTimeoutMs?: number;
  /** How long one of the store's statements may wait for a lock on the server, in ms. Default: 2,000. Range: a whole number, 1 to 600,000. */
  readonly lockTimeoutMs?: number;
  /** How long dead sessions are kept before they are pruned, in ms by the store's clock (S4). Default: 3,600,000 (an hour). Range: a whole number, 0 to 2,592,000,000 (30 days). */
  readonly sessionRetentionMs?: number;
}

/** The store opens its own connections, and closes them with `close()`. */
export interface PostgresStringOptions extends PostgresCommonOptions {
  /** `postgres://user:password@host:5432/database`. Several servers, for failover: `postgres://user@db1,db2:5433/database`; the first that takes writes is used. */
  readonly connectionString: string;
  readonly config?: never;
  readonly pool?: never;
}

/** As {@link PostgresStringOptions}, with all that the driver can be told. */
export interface PostgresConfigOptions extends PostgresCommonOptions {
  /** A `pg.PoolConfig`. */
  readonly config: PostgresConnectionConfig;
  readonly connectionString?: never;
  readonly pool?: never;
}

/** The store takes its connections out of a pool. Whatever their settings are, they are left as they were. */
export interface PostgresPoolOptions extends PostgresCommonOptions {
  /**
   * A `pg.Pool` of yours, never closed; or a function that makes one, which `close()` then ends. While something watches, one connection of it listens. Keep at least two for
   * the store: a heartbeat that waits for a pool that others have emptied is late.
   */
  readonly pool: UserPool | UserPoolFactory;
  readonly connectionString?: never;
  readonly config?: never;
}

/** Options of `postgresLeaseStore`: one of `connectionString`, `config` and `pool`. */
export type PostgresLeaseStoreOptions = PostgresStringOptions | PostgresConfigOptions | PostgresPoolOptions;

/** Where connections come from. */
export type PostgresSource =
  | { readonly kind: 'servers'; readonly servers: readonly PostgresConnectionConfig[]; readonly maxConnections: number }
  | { readonly kind: 'pool'; readonly pool: UserPool | UserPoolFactory };

/** The options with nothing left open. */
export type ResolvedOptions = Readonly<Required<PostgresCommonOptions> & { source: PostgresSource }>;

const MAX_TIMEOUT_MS = 600_000;
const MAX_RETENTION_MS = 2_592_000_000;
const DEFAULT_CONNECTIONS = 4;
const MAX_CONNECTIONS = 100;

/**
 * Fills in the defaults and checks the whole, before anything is touched.
 * @throws `WbOptionError` `INVALID_OPTION`, naming the field, its value and the limit; never a password.
 */
export function resolveOptions(options: PostgresLeaseStoreOptions): ResolvedOptions {
  const {
    schema = 'public',
    namespace = DEFAULT_NAMESPACE,
    pooler = false,
    connectTimeoutMs = 5_000,
    statementTimeoutMs = 5_000,
    lockTimeoutMs = 2_000,
    sessionRetentionMs = 3_600_000,
  } = options;
  assertSchema(schema);
  assertNamespace('namespace', namespace);
  if (typeof pooler !== 'boolean') throw invalid('pooler', pooler, 'must be true or false');
  assertWhole('connectTimeoutMs', connectTimeoutMs, 1, MAX_TIMEOUT_MS);
  assertWhole('statementTimeoutMs', statementTimeoutMs, 1, MAX_TIMEOUT_MS);
  assertWhole('lockTimeoutMs', lockTimeoutMs, 1, MAX_TIMEOUT_MS);
  assertWhole('sessionRetentionMs', sessionRetentionMs, 0, MAX_RETENTION_MS);
  if (lockTimeoutMs > statementTimeoutMs) {
    throw invalid('lockTimeoutMs', lockTimeoutMs, `must be at most \`statementTimeoutMs\` (${statementTimeoutMs})`);
  }
  const source = resolveSource(options);
  return Object.freeze({
    source,
    schema,
    namespace,
    pooler,
    connectTimeoutMs,
    statementTimeoutMs,
    lockTimeoutMs,
    sessionRetentionMs,
  });
}

function resolveSource({ connectionString, config, pool }: PostgresLeaseStoreOptions): PostgresSource {
  const given = Object.entries({ connectionString, config, pool }).filter(([, value]) => value !== undefined);
  if (given.length !== 1) {
    const names = given.length === 0 ? 'none of them' : given.map(([name]) => `\`${name}\``).join(' and ');
    throw new WbOptionError(
      'INVALID_OPTION',
      'connectionString',
      `give one of \`connectionString\`, \`config\` and \`pool\`; there is ${names}`,
    );
  }
  if (pool !== undefined) {
    if (typeof pool !== 'function' && (typeof pool !== 'object' || pool === null || typeof pool.connect !== 'function')) {
      throw invalid('pool', typeof pool, 'must be a pool of `pg`, or a function that makes one');
    }
    return { kind: 'pool', pool };
  }
  if (config !== undefined && (typeof config !== 'object' || config === null)) {
    throw invalid('config', typeof config, 'must be a `pg.PoolConfig`');
  }
  if (config === undefined && typeof connectionString !== 'string') {
    throw invalid('connectionString', typeof connectionString, 'must be a string: postgres://user@host/database');
  }
  const maxConnections = config?.max ?? DEFAULT_CONNECTIONS;
  assertWhole('config.max', maxConnections, 1, MAX_CONNECTIONS);
  return { kind: 'servers', servers: hostsOf(config ?? { connectionString }), maxConnections };
}

function assertSchema(value: unknown): void {
  // A name is a part of every statement: in one with a placeholder, values would be put into the middle of the name.
  const isFit =
    typeof value === 'string' &&
    value !== '' &&
    Buffer.byteLength(value) <= 63 &&
    !value.startsWith('pg_') &&
    !/\p{Cc}|\$\d|\?/u.test(value);
  if (!isFit) {
    throw invalid(
      'schema',
      value,
      'must be a name of 1 to 63 bytes that does not begin with `pg_` and has no placeholder (`$1`, `?`) in it',
    );
  }
}

function assertWhole(field: string, value: unknown, min: number, max: number): void {
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return;
  throw invalid(field, value, `must be a whole number from ${min} to ${max}`);
}

function invalid(field: string, value: unknown, limit: string): WbOptionError {
  const isShown = typeof value === 'number' || typeof value === 'boolean';
  const shown = typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : isShown ? String(value) : typeof value;
  return new WbOptionError('INVALID_OPTION', field, `\`${field}\` (${shown}) ${limit}`);
}
