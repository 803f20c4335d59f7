import { systemClock, WbOptionError, type Clock } from '@wb/core';
import { assertNamespace, DEFAULT_NAMESPACE } from '@wb/sql';
import type { UserPool } from './mysql-driver.js';

/** What all ways of giving a database have in common. */
export interface MysqlCommonOptions {
  /** What the names of the tables begin with: 1 to 32 characters, a–z first, then a–z, 0–9 and `_`. Default: `'wb_'`. */
  readonly namespace?: string;
  /** How long dead sessions are kept before they are pruned, in ms by the store's clock (S4). Default: 3,600,000 (an hour). Range: a whole number, 0 to 2,592,000,000 (30 days). */
  readonly sessionRetentionMs?: number;
  /**
   * Whether the store watches for changes on one connection more (W1), so that a lease that is released is taken over in milliseconds, not at the next heartbeat. Of all
   * processes one looks, 50 times a second. Default: `true`; with a `pool` `false`, and it cannot be otherwise: a pool cannot spare a connection for good.
   */
  readonly hints?: boolean;
}

/** The options of `createPool` of `mysql2`, as far as they matter here; all others are passed on to the driver. */
export interface MysqlPoolOptions {
  /** A connection string; what stands beside it goes before it. */
  readonly uri?: string;
  readonly host?: string;
  readonly port?: number;
  readonly socketPath?: string;
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
  /** TLS, as the driver takes it. */
  readonly ssl?: unknown;
  /** How many connections at most. Default: 4. Range: a whole number, 1 to 100. */
  readonly connectionLimit?: number;
  readonly [option: string]: unknown;
}

/** The store makes connections itself, and closes them with `close()`. */
export interface MysqlConnectionStringOptions extends MysqlCommonOptions {
  /** `mysql://user:password@host:3306/database`; parameters of the driver may follow a `?`. */
  readonly connectionString: string;
  readonly poolOptions?: never;
  readonly pool?: never;
}

/** As with a connection string, by the driver's own options. */
export interface MysqlPoolOptionsOptions extends MysqlCommonOptions {
  readonly poolOptions: MysqlPoolOptions;
  readonly connectionString?: never;
  readonly pool?: never;
}

/** The store borrows connections of a pool of yours, one for the time of a call. It never closes the pool, and leaves no session setting behind. */
export interface MysqlUserPoolOptions extends MysqlCommonOptions {
  /** A pool of `mysql2` or `mysql2/promise`. With `multipleStatements: true` a heartbeat is one round trip. */
  readonly pool: UserPool;
  readonly connectionString?: never;
  readonly poolOptions?: never;
}

/** Options of `mysqlLeaseStore`: a `connectionString`, `poolOptions` or a `pool`. */
export type MysqlLeaseStoreOptions = MysqlConnectionStringOptions | MysqlPoolOptionsOptions | MysqlUserPoolOptions;

/** What the store needs of the machine. Tests give their own. */
export interface MysqlEnvironment {
  readonly clock: Clock;
  /** From 0 to below 1: spreads retries. */
  readonly random: () => number;
}

/** Where connections come from. */
export type MysqlSource =
  | { readonly kind: 'own'; readonly driverOptions: Readonly<Record<string, unknown>>; readonly connectionLimit: number }
  | { readonly kind: 'user'; readonly pool: UserPool };

/** The options with nothing left open. */
export type ResolvedOptions = Readonly<Required<MysqlCommonOptions> & { source: MysqlSource }>;

/** The longest time that dead sessions can be kept, in ms: 30 days. */
const MAX_RETENTION_MS = 2_592_000_000;
const DEFAULT_CONNECTION_LIMIT = 4;
const MAX_CONNECTION_LIMIT = 100;

/** The real machine. */
export const systemEnvironment: MysqlEnvironment = Object.freeze({ clock: systemClock, random: Math.random });

/**
 * Fills in the defaults and checks the whole, before anything is touched.
 * @throws `WbOptionError` `INVALID_OPTION`, naming the field, its value (never a secret) and the limit.
 */
export function resolveOptions(options: MysqlLeaseStoreOptions): ResolvedOptions {
  const { namespace = DEFAULT_NAMESPACE, sessionRetentionMs = 3_600_000 } = options;
  assertNamespace('namespace', namespace);
  if (options.hints !== undefined && typeof options.hints !== 'boolean') {
    throw invalid('hints', String(options.hints), 'must be `true` or `false`');
  }
  if (!Number.isInteger(sessionRetentionMs) || sessionRetentionMs < 0 || sessionRetentionMs > MAX_RETENTION_MS) {
    throw invalid('sessionRetentionMs', String(sessionRetentionMs), `must be a whole number of milliseconds from 0 to ${MAX_RETENTION_MS}`);
  }
  const source = Object.freeze(resolveSource(options));
  if (options.hints === true && source.kind === 'user') {
    throw invalid('hints', 'true', 'needs connections of the store itself: give a `connectionString` or `poolOptions` instead of a `pool`');
  }
  return Object.freeze({ source, namespace, sessionRetentionMs, hints: options.hints ?? source.kind === 'own' });
}

function resolveSource({ connectionString, poolOptions, pool }: MysqlLeaseStoreOptions): MysqlSource {
  const given = [connectionString, poolOptions, pool].filter((way) => way !== undefined);
  if (given.length !== 1) {
    throw invalid('connectionString', typeof connectionString, 'or `poolOptions` or `pool` must be given, exactly one of the three');
  }
  if (pool !== undefined) {
    if (!isPool(pool)) throw invalid('pool', typeof pool, 'must be a pool of mysql2 or mysql2/promise');
    return { kind: 'user', pool };
  }
  if (connectionString !== undefined) {
    // Never shown: it may have a password.
    if (
      typeof connectionString !== 'string' ||
      !/^(mysql|mysql2|mariadb):\/\/./.test(connectionString) ||
      !URL.canParse(connectionString)
    ) {
      throw invalid('connectionString', typeof connectionString, 'must be a URL that begins with mysql:// or mariadb://');
    }
    return own({ uri: connectionString });
  }
  if (typeof poolOptions !== 'object' || poolOptions === null) {
    throw invalid('poolOptions', String(poolOptions), 'must be an object: the options of `createPool`');
  }
  return own(poolOptions);
}

function own({ connectionLimit = DEFAULT_CONNECTION_LIMIT, ...driverOptions }: MysqlPoolOptions): MysqlSource {
  if (!Number.isInteger(connectionLimit) || connectionLimit < 1 || connectionLimit > MAX_CONNECTION_LIMIT) {
    throw invalid('poolOptions.connectionLimit', String(connectionLimit), `must be a whole number from 1 to ${MAX_CONNECTION_LIMIT}`);
  }
  return {
    kind: 'own',
    // Texts come as UTF-8, and a whole transaction goes in one packet.
    driverOptions: Object.freeze({ enableKeepAlive: true, ...driverOptions, charset: 'utf8mb4', multipleStatements: true }),
    connectionLimit,
  };
}

function isPool(value: unknown): value is UserPool {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'getConnection') === 'function';
}

function invalid(field: string, shown: string, limit: string): WbOptionError {
  return new WbOptionError('INVALID_OPTION', field, `\`${field}\` (${shown}) ${limit}`);
}
