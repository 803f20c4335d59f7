/** The memory store as a target: `wb-conformance targets/memory.js`. */
import { MemoryDatabase, memoryLeaseStore } from '@wb/core/memory';
import { memoryNotes } from './memory-notes.js';

const RETENTION_MS = 1_000;
const databases = new Map();

/** @type {import('@wb/conformance').ConformanceTarget} */
export default {
  name: 'memory',
  sessionRetentionMs: RETENTION_MS,
  notes: memoryNotes((namespace) => databases.get(namespace)),
  open(namespace) {
    const database = databases.get(namespace) ?? new MemoryDatabase(RETENTION_MS);
    databases.set(namespace, database);
    return memoryLeaseStore({ database });
  },
  drop(namespace) {
    databases.delete(namespace);
  },
};
