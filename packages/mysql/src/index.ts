export { mysqlLeaseStore } from './mysql-lease-store.js';

export type { CallbackPool, PromisePool, UserPool } from './mysql-driver.js';
export type {
  MysqlCommonOptions,
  MysqlConnectionStringOptions,
  MysqlLeaseStoreOptions,
  MysqlPoolOptions,
  MysqlPoolOptionsOptions,
  MysqlUserPoolOptions,
} from './mysql-options.js';
