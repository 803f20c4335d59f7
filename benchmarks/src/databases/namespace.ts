import type { LeaseStore } from '@wb/core';
import { randomBytes } from 'node:crypto';
import type { BenchDatabase } from './bench-database.js';

/** Runs `work` with tables of its own, and removes them. */
export async function withTables<T>(
  database: BenchDatabase,
  connections: number,
  work: (store: LeaseStore, namespace: string) => Promise<T>,
): Promise<T> {
  const namespace = `bench_${randomBytes(4).toString('hex')}_`;
  const store = database.openStore(namespace, connections);
  try {
    await store.migrate();
    return await work(store, namespace);
  } finally {
    await store.close();
    await database.drop(namespace);
  }
}
