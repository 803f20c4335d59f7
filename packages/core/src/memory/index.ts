export { MemoryDatabase } from './memory-database.js';
export { memoryLeaseStore } from './memory-lease-store.js';
export type { LeaseRow, SessionRow, StoreInstant } from './memory-database.js';
export type { MemoryLeaseStoreOptions } from './memory-lease-store.js';
