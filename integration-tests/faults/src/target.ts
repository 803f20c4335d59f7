import type { LeaseStore } from '@wb/core';

/** A write that may only be made while the lease stands. */
export interface FencedWrite {
  readonly id: string;
  readonly group: string;
  readonly term: number;
  readonly session: string;
}

/** A fenced write that the database has let in. */
export interface LedgerRow extends FencedWrite {
  /** For the store's clock no matter: the order in which the writes of one group were made. */
  readonly position: number;
}

/** The table `ledger` that the members write to, in the same database as the leases: `id`, `group_id`, `term`, `session_id`, and `position`, which the database counts up. */
export interface Ledger {
  /**
   * Writes if the lease is still of this term and session, in one transaction which holds a takeover back until it has ended (T8), and which the database itself ends soon when
   * this process does not. Settles within the deadline; rejects when the outcome is unknown.
   */
  write(write: FencedWrite): Promise<'written' | 'refused'>;
  close(): Promise<void>;
}

/** A database that fault runs can be made on: what a member does with it, and how the driver starts it. */
export interface FaultTarget {
  readonly name: string;
  /** In a member: the store, as a user would make it. `url` is what {@link TargetServer.url} returned. */
  openStore(url: string): LeaseStore;
  /** In a member: the resource. A write takes at most `deadlineMs`. */
  openLedger(url: string, deadlineMs: number): Ledger;
  /** In the driver: starts the database, makes the table `ledger`, and resolves when all of it answers; a string says why it cannot be had on this machine. */
  start(): Promise<TargetServer | string>;
}

/** Where a server listens. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** A database that was started for a run, as the driver holds it. */
export interface TargetServer {
  /** What it is, with its version: `PostgreSQL 18.1 (Docker)`. */
  readonly title: string;
  /** The servers that this member is to talk to, in its order of preference; the run puts a proxy of the member's own before each. Empty for a database without a network. */
  endpoints(member: string): readonly Endpoint[];
  /** What the member's stores and ledgers are opened with, given the proxies before `endpoints(member)`, in the same order. */
  url(proxies: readonly Endpoint[]): string;
  /** What it can be made to suffer. One at a time. */
  readonly faults: readonly ServerFault[];
  /** For a database that runs in the members, and so has their machine's clock: the file with the offset of that clock, for libfaketime. */
  readonly clockFile?: string;
  /** Whether a member that has just been stopped (SIGSTOP) keeps everyone out; it is then thawed, and stopped again a little later. Only for a database with one lock for all. */
  isBlockedByFrozen?(): Promise<boolean>;
  /** Every fenced write that is in the database, in the order of `position`. Not by way of a proxy. */
  readLedger(): Promise<readonly LedgerRow[]>;
  /** Stops it, and leaves nothing behind. Also in the middle of a fault. */
  stop(): Promise<void>;
}

/** A fault of the database. */
export interface ServerFault {
  /** A few words for the report, such as `server killed`. */
  readonly kind: string;
  /** How long it lasts, in TTLs, at least and at most. `[0, 0]`: it is over as soon as it is made. */
  readonly lastsTtls: readonly [number, number];
  /** Whether it moves the database's clock: T2 rests on that clock, and so two may trust for a while. The fence holds all the same. */
  readonly movesClock?: boolean;
  /** Injects it. Resolves to what heals it: that resolves when the database answers again, and rejects if it does not. */
  inject(): Promise<() => Promise<void>>;
}
