export { guardStatements } from './sqlite-guard-sql.js';
export { sqliteLeaseStore } from './sqlite-lease-store.js';
export { isGuardRefusal } from '@wb/sql';

export type { GuardOptions, GuardStatements } from '@wb/sql';
export type { SqliteLeaseStore } from './sqlite-lease-store.js';
export type { SqliteCommonOptions, SqliteFileOptions, SqliteHandleOptions, SqliteLeaseStoreOptions } from './sqlite-options.js';
export type { SqliteFenceHandle } from './user-fence.js';
export type { SqliteTransaction, UserDatabase, UserStatement } from './user-database.js';
