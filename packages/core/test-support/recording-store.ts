import type { LeaseStore } from '../src/lease-store.js';

/** One call of a store's method. */
export interface RecordedCall {
  readonly operation: string;
  readonly args: readonly unknown[];
  readonly atMs: number;
}

const OPERATIONS = [
  'migrate',
  'openSession',
  'heartbeat',
  'closeSession',
  'contend',
  'withdraw',
  'claim',
  'release',
  'held',
  'read',
  'members',
  'groups',
  'history',
  'requestResign',
  'watch',
  'close',
] as const;

/** Notes every call in `calls`, and passes it on. */
export function recordingStore(store: LeaseStore, calls: RecordedCall[], nowMs: () => number): LeaseStore {
  const recorded: Record<string, unknown> = { capabilities: store.capabilities };
  for (const operation of OPERATIONS) {
    const method = store[operation] as ((...args: unknown[]) => Promise<unknown>) | undefined;
    if (method === undefined) continue;
    recorded[operation] = (...args: readonly unknown[]): Promise<unknown> => {
      calls.push({ operation, args, atMs: nowMs() });
      return method.apply(store, [...args]);
    };
  }
  return recorded as unknown as LeaseStore;
}
