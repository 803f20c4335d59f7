export { sqliteLeaseStore } from './sqlite-lease-store.js';

export type { SqliteCommonOptions, SqliteFileOptions, SqliteHandleOptions, SqliteLeaseStoreOptions } from './sqlite-options.js';
export type { UserDatabase, UserStatement } from './user-database.js';
