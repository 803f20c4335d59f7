/**
 * Stores over SQLite files in a process of its own: makes the calls that its parent asks for, and ends with the parent's channel.
 *
 * @module
 */
import type { LeaseStore } from '@wb/core';
import { sqliteLeaseStore } from '@wb/sqlite';
import type { StoreAnswer, StoreRequest } from '../store-messages.js';

const stores = new Map<string, LeaseStore>();

process.on('message', (request: StoreRequest) => void answer(request));
// Nothing but this may be needed for the process to end: a store that is closed has no timer left.
process.on('disconnect', () => {
  for (const store of stores.values()) void store.close();
});

async function answer({ id, filename, method, args, startAtMs }: StoreRequest): Promise<void> {
  // Every process looks at the same clock, so that they start within microseconds of each other.
  while (startAtMs !== null && Date.now() < startAtMs);
  try {
    let store = stores.get(filename);
    if (!store) {
      store = sqliteLeaseStore({ filename });
      stores.set(filename, store);
    }
    const call = store[method] as (...parameters: readonly unknown[]) => Promise<unknown>;
    tell({ id, value: await call.apply(store, [...args]) });
  } catch (error) {
    tell({ id, error: String(error) });
  }
}

function tell(message: StoreAnswer): void {
  process.send?.(message);
}
