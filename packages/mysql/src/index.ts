export { guardStatements } from './mysql-guard-sql.js';
export { mysqlLeaseStore } from './mysql-lease-store.js';
export { isGuardRefusal } from '@wb/sql';

export type { GuardOptions, GuardStatements } from '@wb/sql';
export type { MysqlCallbackExecutor, MysqlFenceExecutor, MysqlPromiseExecutor, MysqlTransaction } from './mysql-executor.js';
export type { MysqlLeaseStore } from './mysql-lease-store.js';
export type { CallbackPool, PromisePool, UserPool } from './mysql-driver.js';
export type {
  MysqlCommonOptions,
  MysqlConnectionStringOptions,
  MysqlLeaseStoreOptions,
  MysqlPoolOptions,
  MysqlPoolOptionsOptions,
  MysqlUserPoolOptions,
} from './mysql-options.js';
