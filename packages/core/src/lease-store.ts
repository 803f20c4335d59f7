/**
 * The contract between the coordinator and a database: sessions carry liveness,
 * leases carry leadership. Rule numbers (S…, L…, T…, W…, E…) are those of
 * `docs/protocol.md`.
 *
 * Three things hold for every method:
 *
 * - **Values for "no", exceptions for faults.** A refused claim, a dead session, a lease that is not held
 *   are results. Only a fault throws, always a {@link StoreError}; after a fault whose
 *   `outcome` is `'unknown'` the statement may have run, may still run, or may run twice (T5).
 * - **The store's clock decides** (T1). No client timestamp enters a statement; what comes out is a *remaining* duration
 *   in ms. The clock is read after every lock that the statement can wait for.
 * - **It settles.** When `signal` aborts, the method settles soon, by rejecting, and whatever connection it used is destroyed (T5).
 *
 * @module
 */

import type { FencedOptions, FenceLease } from './fence.js';
import type { OccurrenceStore } from './occurrence-store.js';
import type { StoreFinding } from './store-finding.js';
import type { ResignRequestResult, TermRecord } from './term-record.js';

/** What every store method takes last. */
export interface CallOptions {
  /** Aborts the call: it then rejects soon, and its outcome is unknown unless it was never sent (T5). */
  readonly signal?: AbortSignal;
}

/** What a store can do, and how well. Frozen; read by users and by the conformance suite, never derived from a name. */
export interface LeaseStoreCapabilities {
  /** For people: `'memory'`, `'sqlite'`, … Nothing branches on it. */
  readonly name: string;
  /** Whether committed sessions, leases and terms survive the end of every client. */
  readonly durable: boolean;
  /** Whether clients in other processes can share the data. */
  readonly crossProcess: boolean;
  /** How far a reported `remainingMs` may be off, in ms, network time aside. Range: above 0. */
  readonly precisionMs: number;
  /** Whether {@link LeaseStore.watch} exists and pushes hints (W1). */
  readonly watch: boolean;
  /** Whether {@link LeaseStore.fenced} exists: whether transactions of the user's can be made to commit only while their lease stands (L6, T8). */
  readonly fencing: boolean;
  /** Whether {@link LeaseStore.history} exists: whether the store keeps a record of the last terms of each group (H1–H3). */
  readonly history: boolean;
  /** Whether {@link LeaseStore.requestResign} exists: whether a leader can be asked to hand over (R1–R3). */
  readonly resignRequests: boolean;
  /** Whether {@link LeaseStore.groups} exists: whether the store can be asked which groups there are (S5). */
  readonly groups: boolean;
  /** Whether the store keeps the records of recurring jobs: whether {@link OccurrenceStore.readJobs} and {@link OccurrenceStore.writeJob} exist (O1–O6). */
  readonly occurrences: boolean;
}

/** A session to open. One incarnation of a member (S1–S3). */
export interface NewSession {
  /** Random and never used before: 1–255 characters, no control characters. */
  readonly sessionId: string;
  /** The member's name for people: 1–255 characters, no control characters. Several live sessions may share it (F10). */
  readonly memberId: string;
  /** How long the session lives after its last heartbeat, in ms by the store's clock. Range: a whole number, 1 to 86,400,000. */
  readonly ttlMs: number;
  /** Small facts for people (host, version, …); at most 4,096 bytes as JSON. Default: none. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A session that leads a group, as another member sees it. */
export interface LeaseHolder {
  readonly sessionId: string;
  readonly memberId: string;
  /** The fencing token of the holder's lease. */
  readonly term: number;
  /** How long the holder's session still lives without another heartbeat, in ms by the store's clock. Above 0. */
  readonly remainingMs: number;
  /** How many leases this session has released so far, read in the same snapshot as the lease. See {@link HolderHealth.releaseCount}. */
  readonly releaseCount: number;
}

/** What a heartbeat brings back about one session that the caller waits for. */
export interface HolderHealth {
  readonly sessionId: string;
  /** How long that session still lives, in ms by the store's clock; 0 when it is dead: expired, closed or unknown; or when its expiry cannot be believed, after the clock was set back: a claim then looks. */
  readonly remainingMs: number;
  /**
   * How many leases that session has released. A standby that remembers the number it saw when it was refused
   * knows from a higher one that some group has become free, however many groups there are. 0 when the session is unknown.
   */
  readonly releaseCount: number;
}

/** Where a store may stop to count for `standbyRank`: the coordinator makes no difference from here on. What a heartbeat reads must not grow with the number of processes. */
export const MAX_STANDBY_RANK = 16;

/** A heartbeat: extends the caller's session and asks, in the same round trip, about the sessions that it waits for. */
export interface HeartbeatRequest {
  readonly sessionId: string;
  /** The sessions that hold groups which the caller contends for. Usually few: processes, not groups. */
  readonly holders: readonly string[];
}

/** The answer to a heartbeat. `alive: false` is authoritative: the session is dead and never lives again (S2). */
export type HeartbeatResult =
  | {
      readonly alive: true;
      /** How many fresh grants this session was ever given, whether or not the client heard of them (the trap of the late claim), and how often it was asked to resign (R1). */
      readonly grantCount: number;
      /**
       * How many other live sessions, those in `holders` aside, were opened before this one. Only a hint, for orderly takeover, but exact: nobody is asked to count beyond {@link MAX_STANDBY_RANK},
       * and it may be 0 when `holders` is empty, since who waits for nobody takes nothing over.
       */
      readonly standbyRank: number;
      /** One entry for each of the request's `holders`, in the same order. */
      readonly holders: readonly HolderHealth[];
    }
  | { readonly alive: false };

/** The answer to a claim of one group. */
export type ClaimResult =
  | {
      readonly kind: 'granted';
      readonly groupId: string;
      /** The fencing token: 1 for the first grant of a group, then exactly one more with each fresh grant (L2). */
      readonly term: number;
      /** `false` when the session held the group already: the same term again (L3). */
      readonly fresh: boolean;
    }
  | { readonly kind: 'refused'; readonly groupId: string; readonly reason: 'held'; readonly holder: LeaseHolder }
  /** Something holds the lease's row back for the moment (a fenced transaction): not granted; claim again a little later (T8). */
  | { readonly kind: 'refused'; readonly groupId: string; readonly reason: 'busy' }
  /** The claimant's own session is dead. Authoritative, like `alive: false` (L1). */
  | { readonly kind: 'refused'; readonly groupId: string; readonly reason: 'session-dead' };

/** A lease by its group and term; with the session it is exact. */
export interface LeaseKey {
  readonly groupId: string;
  readonly term: number;
}

/** A lease to be released. */
export interface LeaseRelease extends LeaseKey {
  /** Why, for the record (H2): 1–32 lower-case letters and hyphens. Default: `released`. */
  readonly reason?: string;
}

/** A lease that a session holds. */
export interface HeldLeaseView extends LeaseKey {
  /** Whether somebody has asked its leader to hand it over (R1). Default: no. */
  readonly resignRequested?: boolean;
}

/** The answer to the release of one lease. Both are definite: afterwards the session does not hold (group, term). */
export interface ReleaseResult extends LeaseKey {
  readonly kind: 'released' | 'not-held';
}

/** What a session holds, by the store, in one snapshot. */
export interface HeldLeases {
  /** `false`: the session is dead (S2); it holds nothing, and the other fields are 0 and empty. */
  readonly alive: boolean;
  /** The session's count, as a heartbeat returns it, read together with `leases`. */
  readonly grantCount: number;
  readonly leases: readonly HeldLeaseView[];
}

/** A group as anyone can see it. */
export interface LeaseView {
  readonly groupId: string;
  /** The term of the last grant; 0 if the group was never held. */
  readonly term: number;
  /** The live session that holds the group, or `null`: never held, released, or held by a dead session. */
  readonly holder: LeaseHolder | null;
  /** How many live sessions contend for the group, its holder included. */
  readonly contenderCount: number;
}

/** A live session as anyone can see it. */
export interface MemberView {
  readonly sessionId: string;
  readonly memberId: string;
  readonly ttlMs: number;
  /** How long the session still lives without another heartbeat, in ms by the store's clock. Above 0. */
  readonly remainingMs: number;
  /** How long ago the session was opened, in ms by the store's clock. */
  readonly ageMs: number;
  /** How many groups it holds. */
  readonly leaseCount: number;
  /** How many groups it contends for, those that it holds included. */
  readonly contendCount: number;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A hint that something changed (W1). Never needed for correctness. */
export interface LeaseHint {
  /** The groups that changed; absent when the store cannot tell. */
  readonly groupIds?: readonly string[];
  /** Present and `true`: their leaders were asked to resign (R1). */
  readonly resign?: boolean;
  /** Present and `true`: they were released, or their session was closed. The first in the queue of standbys then claims at once, and does not look first. */
  readonly freed?: boolean;
}

/**
 * A database that keeps sessions and leases. `@wb/core/memory` is the reference; `docs/protocol.md` states the rules.
 *
 * Batches (`claim`, `release`, `read`, `contend`, `withdraw`) take from none to 10,000 groups and more, answer in the order of the
 * request, and need not be atomic as a whole: each group's part is. A duplicate group in a batch is answered each time.
 */
export interface LeaseStore extends Partial<OccurrenceStore> {
  readonly capabilities: LeaseStoreCapabilities;

  /** Creates or updates what the store needs. Idempotent, and safe when several processes run it at once (F20). Changes nothing when up to date, so that a role without DDL rights can call it. */
  migrate(options?: CallOptions): Promise<void>;

  /**
   * The statements that {@link LeaseStore.migrate} would run now, in order, for somebody who has the rights to run them by hand; without a semicolon at their ends. Empty: up to date. Reads alone. Run by several at once, or again, they
   * change nothing twice, but may fail.
   */
  migrationSql?(options?: CallOptions): Promise<readonly string[]>;

  /**
   * Opens a session that lives for `ttlMs` from now (S1). Never called twice with one id: after an unknown outcome the caller takes a
   * new id and the ghost expires. A `sessionId` that exists already, live or dead, is a fault (`STORE_SESSION_EXISTS`).
   * Also prunes sessions that have been dead for long (S4, F19).
   */
  openSession(session: NewSession, options?: CallOptions): Promise<void>;

  /** Extends a live session to the store's now + its TTL (S1); refuses a dead one (S2). Touches that one row and no lease. */
  heartbeat(request: HeartbeatRequest, options?: CallOptions): Promise<HeartbeatResult>;

  /** Ends a session and frees every group that it held (S3). Idempotent; an unknown session is no fault. */
  closeSession(sessionId: string, options?: CallOptions): Promise<void>;

  /** Notes that the session contends for the groups, for those who look. Idempotent; has no effect for a dead session. */
  contend(sessionId: string, groupIds: readonly string[], options?: CallOptions): Promise<void>;

  /** Takes back {@link LeaseStore.contend}. Idempotent. */
  withdraw(sessionId: string, groupIds: readonly string[], options?: CallOptions): Promise<void>;

  /**
   * Claims groups for a session (L1–L5). Each is granted if and only if the session is live and the group is free, by the store's
   * clock at one instant; of any number of concurrent claims exactly one is granted. Every fresh grant also counts up `grantCount` on the session.
   */
  claim(sessionId: string, groupIds: readonly string[], options?: CallOptions): Promise<readonly ClaimResult[]>;

  /** Frees leases that match group, session and term exactly, and counts up the session's `releaseCount` in the same step. Idempotent. */
  release(sessionId: string, leases: readonly LeaseRelease[], options?: CallOptions): Promise<readonly ReleaseResult[]>;

  /** What the session holds, in one snapshot. */
  held(sessionId: string, options?: CallOptions): Promise<HeldLeases>;

  /** The groups as they are now. */
  read(groupIds: readonly string[], options?: CallOptions): Promise<readonly LeaseView[]>;

  /** The live sessions, the oldest first. */
  members(options?: CallOptions): Promise<readonly MemberView[]>;

  /** The groups that a live session holds or contends for: each once, in no order (S5). For people; its cost grows with the number of leases. */
  groups?(options?: CallOptions): Promise<readonly string[]>;

  /**
   * The last terms of the groups, at most `limit` of each (1–100, and no more are kept): in the order of the request, the latest term first (H1–H3). One entry for each group that is named, however often.
   */
  history?(groupIds: readonly string[], limit: number, options?: CallOptions): Promise<readonly TermRecord[]>;

  /**
   * Asks the group's leader to hand over: notes it on the lease, and counts up the `grantCount` of the holder's session in the same step, so that its next heartbeat makes it look (R1). Idempotent: a repeated
   * request of the same term counts nothing (R3). It ends with the term.
   */
  requestResign?(groupId: string, options?: CallOptions): Promise<ResignRequestResult>;

  /** Calls `onHint` after every release, close and grant of any client, where the store can push (W1). Dispose to end it. */
  watch?(onHint: (hint: LeaseHint) => void, options?: CallOptions): Promise<AsyncDisposable>;

  /**
   * Runs `work` in a transaction of the store's database, and commits it only if the lease stands at that moment: no later term exists, none is granted until the commit has ended, and
   * the lease was not released (L6, T8). It neither waits for heartbeats nor keeps them waiting, and lasts at most `maxHoldMs`. The store's own type says what `work` is given.
   *
   * Resolves to what `work` returned, when it is committed. What `work` throws rolls back and is thrown on.
   *
   * @throws `FencedError` `FENCED` if the lease does not stand: nothing was written. {@link StoreError}; if the answer to the commit was lost, with the outcome `'unknown'`.
   */
  fenced?<T>(lease: FenceLease, work: (transaction: unknown) => T | PromiseLike<T>, options?: FencedOptions): Promise<T>;

  /** The store's clock, in ms since 1970, by one plain statement (T1). For people who look for a clock that is wrong or was set: nothing else may use it, and it is never sent to a store. */
  readClock?(options?: CallOptions): Promise<number>;

  /**
   * Looks at the database for whatever makes the store slow, unsafe or impossible: its version, the rights of the role, the tables, the settings, how it is replicated, what stands in between. Changes nothing, and says what it cannot see.
   *
   * @throws {@link StoreError} if it cannot even look.
   */
  diagnose?(options?: CallOptions): Promise<readonly StoreFinding[]>;

  /** Ends this client: calls in flight reject, later ones reject with `STORE_CLOSED`. Idempotent. Sessions are left to expire. */
  close(): Promise<void>;
}
