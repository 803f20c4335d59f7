import type { LeaseStore } from '@wb/core';
import { MemoryDatabase, memoryLeaseStore, type MemoryTransaction, type StoreInstant } from '@wb/core/memory';
import { systemClock } from '@wb/core';
import type { ConformanceTarget } from '../../src/index.js';

/** How long dead sessions are kept in these tests, in ms. */
export const RETENTION_MS = 1_000;

/** A store that is wrong in one way. */
export interface Mutant {
  readonly title: string;
  /** The case that must notice it. */
  readonly killedBy: string;
  /** A database that is wrong. Default: the right one. */
  readonly database?: () => MemoryDatabase;
  /** A client that is wrong. It gets a right one and the database behind it. Default: the right one. */
  readonly client?: (store: LeaseStore, database: MemoryDatabase) => LeaseStore;
  /** Which data a namespace means. Default: its own. */
  readonly dataOf?: (namespace: string) => string;
}

/** The target of a mutant; without one, of the memory store as it is. */
export function mutantTarget(mutant: Partial<Mutant> = {}): ConformanceTarget {
  const databases = new Map<string, MemoryDatabase>();
  const notesOf = (namespace: string): string[] => [...databases.get(mutant.dataOf?.(namespace) ?? namespace)!.values.keys()];
  return {
    name: mutant.title ?? 'memory',
    sessionRetentionMs: RETENTION_MS,
    notes: {
      prepare: () => undefined,
      write: (transaction, _namespace, note) => (transaction as Pick<MemoryTransaction, 'set'>).set(note, true),
      see: (_transaction, namespace) => notesOf(namespace),
      read: (namespace) => notesOf(namespace),
    },
    open: (namespace) => {
      const key = mutant.dataOf?.(namespace) ?? namespace;
      const database = databases.get(key) ?? mutant.database?.() ?? new MemoryDatabase(RETENTION_MS);
      databases.set(key, database);
      const store = memoryLeaseStore({ database });
      return mutant.client?.(store, database) ?? store;
    },
  };
}

/** The store's now. */
export function storeNow(): StoreInstant {
  return systemClock.now().monotonicMs as StoreInstant;
}

/** Resolves in `delayMs`, as a slow network or a lock would. */
export function delay(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    systemClock.schedule(delayMs, resolve);
  });
}
