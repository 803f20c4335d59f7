import type { FenceLease, LeaseStore } from '@wb/core';

/** How a transaction begins. */
export type Isolation = 'read committed' | 'repeatable read';

/** A store that fences transactions of others. */
export interface FencingStore extends LeaseStore {
  fence(executor: unknown, lease: FenceLease): Promise<void>;
}

/** A connection of the user's, in the hands of one library. */
export interface FenceSession {
  begin(isolation: Isolation): Promise<void>;
  /** Runs one statement in the transaction, or outside of it if there is none. */
  run(sql: string): Promise<unknown>;
  /** Fences the transaction. */
  fence(store: FencingStore, lease: FenceLease): Promise<void>;
  /** As a user does that passes over the refusal. */
  commit(): Promise<void>;
  rollBack(): Promise<void>;
}

/** A library that fenced transactions are run with. */
export interface FenceLibrary {
  readonly name: string;
  /** Whether what a refused transaction has written is committed by whoever passes over the refusal: the library's transaction is its own to end. */
  readonly endsItself: boolean;
  /** @param onEnd Takes what closes it. */
  open(url: string, onEnd: (end: () => Promise<unknown>) => void): Promise<FenceSession>;
}
