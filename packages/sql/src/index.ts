export { partsOf } from './batch.js';
export { fencedErrorOf, isFenceRefusal, isGuardRefusal } from './fence-refusal.js';
export { GUARD_REFUSALS, guardParts, MAX_STATED_TERM } from './guard.js';
export { isKysely, notInTransactionError, runInKysely } from './kysely-transaction.js';
export { MIGRATION_NAMES, planMigrations, readLedger } from './migrations.js';
export { assertNamespace, DEFAULT_NAMESPACE, MAX_NAMESPACE_LENGTH, NamespacePlugin } from './namespace.js';
export { notMigratedError } from './not-migrated.js';
export { revocable } from './revocable.js';
export { compilingKysely, statement } from './statement.js';
export { TABLE_NAMES } from './tables.js';
export { termRecords } from './term-records.js';

export type { GuardOptions, GuardStatements } from './guard.js';
export type { KyselyTransaction } from './kysely-transaction.js';
export type { SchemaDialect } from './migrations.js';
export type { ResultWrappers } from './revocable.js';
export type { SqlArguments, SqlParameters, SqlStatement, SqlValue } from './statement.js';
export type { ContenderTable, JobTable, LeaseTable, MigrationTable, SessionTable, TermTable, WbTables } from './tables.js';
export type { TermRow } from './term-records.js';
