import type { LeaseStore } from '@wb/core';

/** A call that a store in another process is to make. */
export interface StoreRequest {
  readonly id: number;
  readonly filename: string;
  readonly method: Exclude<
    keyof LeaseStore,
    'capabilities' | 'watch' | 'fenced' | 'history' | 'requestResign' | 'migrationSql' | 'readClock' | 'diagnose' | 'groups'
  >;
  readonly args: readonly unknown[];
  /** When to make it, in ms since 1970: the starting signal that several processes wait for; `null`: at once. */
  readonly startAtMs: number | null;
}

/** What came of a {@link StoreRequest}. */
export interface StoreAnswer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}
