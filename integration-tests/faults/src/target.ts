import type { LeaseStore } from '@wb/core';
import type { LedgerRow } from './checker.js';

/** A write that may only be made while the lease stands. */
export interface FencedWrite {
  readonly id: string;
  readonly group: string;
  readonly term: number;
  readonly session: string;
}

/** The resource that the members write to, in the same database as the leases. */
export interface Ledger {
  /**
   * Writes if the lease is still of this term and session, in one transaction which holds a takeover back until it has committed (T8).
   * Rejects when the outcome is unknown.
   */
  write(write: FencedWrite): Promise<'written' | 'refused'>;
  close(): Promise<void>;
}

/** Where a member finds the database: plain data, for its command line. */
export interface TargetAddress {
  readonly target: string;
  readonly url: string;
}

/** What a member needs of a database. */
export interface TargetClient {
  openStore(address: TargetAddress): LeaseStore;
  openLedger(address: TargetAddress): Ledger;
}

/** A fault of the database itself, or of the way to it. Resolves when it is over. */
export interface TargetFault {
  readonly kind: string;
  strike(signal: AbortSignal): Promise<void>;
}

/** What the driver needs of a database that was started for a run. */
export interface TargetServer {
  readonly name: string;
  /** Where the members find it; each may have a way of its own. */
  addressFor(member: string): TargetAddress;
  /** The faults that it can be made to suffer, for a member's way or for all. */
  faults(member: string, random: () => number, ttlMs: number): readonly TargetFault[];
  /** Whether a member that has just been stopped (SIGSTOP) keeps others out: then it is thawed, and stopped again a little later. */
  isBlockedByFrozen(): Promise<boolean>;
  readLedger(): Promise<readonly LedgerRow[]>;
  stop(): Promise<void>;
}
