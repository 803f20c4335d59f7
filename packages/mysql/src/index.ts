export { mysqlLeaseStore } from './mysql-lease-store.js';

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
