import type { FenceLease, LeaseStore } from '@wb/core';

/** A fenced write that the database has let in. */
export interface LedgerRow {
  readonly id: string;
  readonly group: string;
  readonly term: number;
  readonly session: string;
  /** The order in which the writes of one group were made, whatever any clock says. */
  readonly position: number;
}

/** A row for the table `ledger` that the members write to, in the same database as the leases. */
export type Entry = Omit<LedgerRow, 'position'>;

/** A target, as a member uses it. */
export interface MemberDatabase {
  /** As a user would make it. */
  readonly store: LeaseStore;
  /** Whether a transaction keeps everyone else from writing: then a leader that freezes in one is not succeeded before it thaws. */
  readonly hasOneLock: boolean;
  /**
   * Writes to the ledger in a transaction, a fenced one of the store's (T8) if there is a lease. Resolves to the number of entries of the group's earlier terms that it saw: there will never be more.
   * @throws FencedError if the lease does not stand; whatever else is thrown leaves the outcome unknown.
   */
  write(entry: Entry, options: WriteOptions): Promise<number>;
  /** In a fenced transaction of a job's: writes down that an occurrence was run. `unless-there`: a second row of an occurrence is not written; nothing but the fence keeps two from doing that at once. */
  writeRun(transaction: unknown, run: JobRunRow, when: 'always' | 'unless-there'): Promise<void> | void;
}

/** A run of a job's occurrence, in the table `job_run`. */
export interface JobRunRow {
  readonly job: string;
  readonly occurrence: number;
  readonly scheduledAtMs: number;
  readonly term: number;
}

/** How an entry is written. */
export interface WriteOptions {
  /** `null`: without a fence. */
  readonly lease: FenceLease | null;
  readonly maxHoldMs: number;
  /** How long the transaction stays open before it writes, and after it, in ms. */
  readonly pauseMs: readonly [before: number, after: number];
  /** Called when the transaction is open, and the store has let it in. */
  readonly onInside?: () => void;
}

/** A database that fault runs can be made on: what a member does with it, and how the driver starts it. */
export interface FaultTarget {
  readonly name: string;
  /** In a member. `url` is what {@link TargetServer.url} returned. */
  open(url: string): MemberDatabase;
  /** In the driver: starts the database, makes the tables `ledger` and `job_run`, and resolves when all of it answers; a string says why it cannot be had on this machine. */
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
  /** What a member's database is opened with, given the proxies before `endpoints(member)`, in the same order. */
  url(proxies: readonly Endpoint[]): string;
  /** What it can be made to suffer. One at a time. */
  readonly faults: readonly ServerFault[];
  /** For a database that runs in the members, and so has their machine's clock: the file with the offset of that clock, for libfaketime. */
  readonly clockFile?: string;
  /** Whether a member that has just been stopped (SIGSTOP) keeps everyone out; it is then thawed, and stopped again a little later. Only for a database with one lock for all. */
  isBlockedByFrozen?(): Promise<boolean>;
  /** Every fenced write that is in the database, in the order of `position`. Not by way of a proxy. */
  readLedger(): Promise<readonly LedgerRow[]>;
  /** Every run that is in the table `job_run`, in any order. Not by way of a proxy. */
  readRuns(): Promise<readonly JobRunRow[]>;
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
