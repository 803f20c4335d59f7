export { MemoryDatabase } from './memory-database.js';
export { MemoryJobs } from './memory-jobs.js';
export { memoryLeaseStore } from './memory-lease-store.js';
export { MemoryTransaction } from './memory-transaction.js';
export type { LeaseRow, SessionRow, StoreInstant, TermRow } from './memory-database.js';
export type { MemoryLeaseStore, MemoryLeaseStoreOptions } from './memory-lease-store.js';
