import type { Clock } from './clock.js';
import type { CoordinatorEvent, CoordinatorEventKind } from './events.js';
import type { LeaseHolder, LeaseStore, MemberView } from './lease-store.js';
import type { GroupReason, SessionReason } from './reasons.js';
import type { SessionState } from './session-machine.js';
import type { GroupState } from './group-machine.js';
import type { TermRecord } from './term-record.js';
import type { TimingOptions } from './timings.js';

/** Options of {@link createCoordinator}. Validated together, at construction. */
export interface CoordinatorOptions extends TimingOptions {
  /** The database, or a function that makes the store. The coordinator closes only a store that it made itself. */
  readonly store: LeaseStore | (() => LeaseStore);
  /** This member's name for people, 1–255 characters. It need not be unique: every start is its own session (F10). */
  readonly memberId: string;
  /** Small facts for `members()`: host, version, … At most 4,096 bytes as JSON. Default: none. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Whether to call the store's `migrate()` before anything else is asked of it, with retries (F17, F20). Default: `true`. */
  readonly migrate?: boolean;
  /** Local time. Default: the clocks of this machine. Give another only in tests. */
  readonly clock?: Clock;
}

/** What the work gets. */
export interface WorkContext {
  readonly groupId: string;
  /** The fencing token: rises with every grant of the group. Send it along with every side effect that can check it. */
  readonly term: number;
  readonly memberId: string;
  /** Aborts when leadership ends; its `reason` is a {@link LeadershipEndedError} (T4). Stop soon: nobody else may begin before the work has settled. */
  readonly signal: AbortSignal;
  readonly lease: Lease;
  /** Tells the watchdog that the work makes progress. Needed at least once per `watchdogMs`, when that is set (F4). */
  readonly beat: () => void;
}

/** Leadership of a group, as the work holds it. */
export interface Lease {
  readonly groupId: string;
  readonly term: number;
  readonly sessionId: string;
  /**
   * Exact at any moment, also right after the event loop was blocked: it reads the clocks and not a flag (T4). Once `false`, for ever `false`. It stays `true`
   * while aborted work settles and nothing is lost yet (a resignation, a stop): watch `signal`, too.
   */
  isHeld(): boolean;
  /** How long the lease is surely held without another heartbeat, in ms; 0 when it is not held. */
  remainingMs(): number;
  /** @throws {@link LeaseNotHeldError} `LEASE_NOT_HELD` unless {@link Lease.isHeld}. */
  assertHeld(): void;
  /**
   * "Do I have `ms` milliseconds for this side effect?" Resolves when the lease is surely held for at least that long, at once or after an
   * early heartbeat.
   * @param ms Above 0, at most `ttlMs − safetyMarginMs`.
   * @throws {@link LeaseNotHeldError} `LEASE_NOT_HELD` when it is not; {@link WbOptionError} `INVALID_OPTION`.
   */
  ensure(ms: number): Promise<void>;
}

/** The work of a leader. Whatever it returns or throws ends the leadership at once (F4); {@link LeadOptions} says what follows. */
export type Work<T> = (context: WorkContext) => T | PromiseLike<T>;

/**
 * How long to wait before contending again, in ms: `minMs · factor^(n − 1)`, at most `maxMs`, after `n` failures in a row, and never less than two heartbeats after
 * a failure, so that a healthy member can take over (F4); `minMs` after a normal end.
 */
export interface BackOffOptions {
  /** Default: 100. Range: 0 and more. */
  readonly minMs?: number;
  /** Default: 30,000. Range: `minMs` and more. */
  readonly maxMs?: number;
  /** Default: 2. Range: 1 and more. */
  readonly factor?: number;
}

/** Options of {@link Coordinator.lead}. */
export interface LeadOptions {
  /** What a normal end of the work means: `'stop'` leaves the group and resolves `lead`; `'contend'` stands by again. Default: `'stop'`. */
  readonly onEnd?: 'stop' | 'contend';
  /** What a throw means: `'contend'` stands by again after a back-off; `'rethrow'` leaves the group and rejects `lead` with it. Default: `'contend'`; the error is in the event. */
  readonly onError?: 'contend' | 'rethrow';
  readonly backOff?: BackOffOptions;
  /** How long aborted work may take to settle before it is reported as an overrun, in ms. Default: 10,000. Range: 0 and more. */
  readonly settleDeadlineMs?: number;
  /**
   * What follows an overrun. `'report'`: an event; the lease is kept, with the session, until the work settles (T7). `'exit'`: the event,
   * then the process exits with code 70, so that another can take over. Default: `'report'`.
   */
  readonly onOverrun?: 'report' | 'exit';
  /** How long the work may go without `beat()` before it counts as hung, in ms (F4). Default: no watchdog. */
  readonly watchdogMs?: number;
  /** Ends the contention: leadership is handed over gracefully and `lead` resolves. Default: none. */
  readonly signal?: AbortSignal;
}

/** How a contention ended. */
export type LeadResult<T> =
  /** The work returned `value`, and `onEnd` is `'stop'`. */
  | { readonly reason: 'work-ended'; readonly term: number; readonly value: T }
  /** `options.signal` aborted, or the coordinator was closed. */
  | { readonly reason: 'stopped' | 'closed' };

/** The leader of a group as this coordinator knows it. `remainingMs` is as of the last look. */
export type Leader = Pick<LeaseHolder, 'memberId' | 'sessionId' | 'term'>;

/** One group in {@link CoordinatorStatus}. */
export interface GroupStatus {
  readonly groupId: string;
  readonly state: GroupState['kind'];
  readonly reason: GroupReason;
  /** Who leads as far as this member knows, itself included. */
  readonly leader: Leader | null;
  /** How often work of this group was started here. */
  readonly runCount: number;
}

/** A snapshot, made from memory. */
export interface CoordinatorStatus {
  readonly memberId: string;
  readonly session: {
    readonly state: SessionState['kind'] | 'none';
    readonly reason: SessionReason | null;
    readonly sessionId: string | null;
    /** How long the session is still trusted without another heartbeat, in ms. */
    readonly trustedForMs: number;
  };
  /** The fault of the last store call, or `null` if it went well. */
  readonly storeFault: Error | null;
  readonly groups: readonly GroupStatus[];
}

/** What an observer sees of a group. `leader: null`: nobody leads. */
export interface Observation {
  readonly groupId: string;
  readonly leader: Leader | null;
  /** The term of the last grant; 0 if there was none. */
  readonly term: number;
}

/** Watches who leads a group, without taking part. Iterate it; dispose it, or leave the loop, to end it. */
export interface Observer extends AsyncIterable<Observation>, Disposable {
  /** The last observation; `undefined` before the first. */
  readonly current: Observation | undefined;
  close(): void;
}

/** One program's part in the coordination: one session, however many groups. */
export interface Coordinator extends AsyncDisposable {
  readonly memberId: string;
  /** The store, also one that the coordinator made. */
  readonly store: LeaseStore;

  /**
   * Contends for a group; runs `work` while leading; aborts it when leadership ends, waits until it has settled, and contends again.
   * Resolves when the contention ends: see {@link LeadOptions}.
   *
   * @throws {@link WbOptionError} `INVALID_NAME`, `INVALID_OPTION`; {@link WbError} `GROUP_ALREADY_LED`, `COORDINATOR_CLOSED`; what the work threw, with `onError: 'rethrow'`.
   */
  lead<T>(groupId: string, work: Work<T>, options?: LeadOptions): Promise<LeadResult<T>>;

  /**
   * Hands leadership over gracefully (T7): aborts the work, waits until it has settled, releases, and lets the others go first for two heartbeats.
   * Resolves `true` when the lease is released, `false` when this member does not lead the group.
   */
  resign(groupId: string): Promise<boolean>;

  /**
   * Asks whoever leads the group, here or elsewhere, to hand over as by {@link Coordinator.resign}. The leader sees it with its next heartbeat, or at once where the store pushes hints; it has obeyed when the term has
   * ended. A request that is repeated in the same term changes nothing. Resolves `true` when there was a leader to ask. One store call (R1–R3).
   * @throws {@link WbOptionError} `INVALID_NAME`; {@link WbError} `NOT_SUPPORTED` without `capabilities.resignRequests`, `COORDINATOR_CLOSED`; {@link StoreError}.
   */
  requestResign(groupId: string): Promise<boolean>;

  /**
   * The last terms of a group, the latest first: who led, from when to when, and why it ended (H1–H3). One store call.
   * @param limit How many at most. Default: 10. Range: 1–100; no more are kept.
   * @throws {@link WbOptionError} `INVALID_NAME`, `INVALID_OPTION`; {@link WbError} `NOT_SUPPORTED` without `capabilities.history`, `COORDINATOR_CLOSED`; {@link StoreError}.
   */
  history(groupId: string, limit?: number): Promise<readonly TermRecord[]>;

  /** The live sessions of the store, the oldest first. One store call. @throws {@link StoreError}; {@link WbError} `COORDINATOR_CLOSED`. */
  members(): Promise<readonly MemberView[]>;

  /**
   * Watches who leads a group. One store call per `heartbeatMs` for all observed groups together; hints make it faster.
   * @throws {@link WbOptionError} `INVALID_NAME`; {@link WbError} `COORDINATOR_CLOSED`. Faults of the store are events.
   */
  observe(groupId: string): Observer;

  /** What this coordinator knows now. No store call. */
  status(): CoordinatorStatus;

  /** Calls `listener` with every event of that kind, in order, never from inside the machine (T11). Returns a function that ends it. */
  on<K extends CoordinatorEventKind>(kind: K, listener: (event: Extract<CoordinatorEvent, { kind: K }>) => void): () => void;

  /** Every event from now on, in order, none left out, however slowly it is read (T11). Ends when the coordinator is closed. */
  events(): AsyncIterableIterator<CoordinatorEvent>;

  /**
   * Ends everything, gracefully: aborts all work, waits until it has settled, releases, closes the session last (T7, F14). Work that never
   * settles keeps its lease and holds this up; see `onOverrun`. Idempotent.
   */
  close(): Promise<void>;
}
