export { guardStatements } from './postgres-guard-sql.js';
export { postgresLeaseStore } from './postgres-lease-store.js';
export { isGuardRefusal } from '@wb/sql';

export type { GuardOptions, GuardStatements } from '@wb/sql';
export type { PostgresExecutor, PostgresFenceExecutor, PostgresRows, PostgresTransaction } from './postgres-executor.js';
export type { PostgresLeaseStore } from './postgres-lease-store.js';
export type {
  PostgresCommonOptions,
  PostgresConfigOptions,
  PostgresLeaseStoreOptions,
  PostgresPoolOptions,
  PostgresStringOptions,
} from './postgres-options.js';
export type { PostgresConnectionConfig, UserPool, UserPoolClient, UserPoolFactory } from './user-pool.js';
