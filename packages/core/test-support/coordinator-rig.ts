import { createCoordinator } from '../src/coordinator.js';
import type { Coordinator, CoordinatorOptions, GroupStatus, LeadOptions, LeadResult } from '../src/coordinator-types.js';
import type { CoordinatorEvent, CoordinatorEventKind } from '../src/events.js';
import type { LeaseStore } from '../src/lease-store.js';
import { MemoryDatabase, memoryLeaseStore, type StoreInstant } from '../src/memory/index.js';
import { type Fate, faultyStore, Scheduler, VirtualClock, type VirtualClockOptions } from '../src/testing/index.js';
import { CountingClock } from './counting-clock.js';
import { type RecordedCall, recordingStore } from './recording-store.js';
import { ScriptedWork } from './scripted-work.js';

/** The timings of the rig's coordinators. Trust ends 900 ms after the last acknowledged heartbeat was sent; a call has 230 ms. */
export const TTL_MS = 1_000;
export const HEARTBEAT_MS = 200;
export const MARGIN_MS = 100;
export const CALL_DEADLINE_MS = 230;
export const TRUST_MS: number = TTL_MS - MARGIN_MS;

/** One way of every message, in ms. */
export const WAY_MS = 1;
export const SMOOTH: Fate = { deliverAfterMs: [WAY_MS], replyAfterMs: WAY_MS };
export const REQUEST_LOST: Fate = { deliverAfterMs: [], replyAfterMs: null };
export const REPLY_LOST: Fate = { deliverAfterMs: [WAY_MS], replyAfterMs: null };

/** Options of {@link CoordinatorRig.start}. */
export interface NodeOptions extends Partial<Omit<CoordinatorOptions, 'store' | 'memberId' | 'clock'>>, VirtualClockOptions {
  /** Without a network between: calls take no time, and hints come. Default: `false`. */
  readonly isDirect?: boolean;
  /** Hands the coordinator a function that makes the store. Default: `false`. */
  readonly ownsStore?: boolean;
  /** Around the store, next to the coordinator. */
  readonly wrap?: (store: LeaseStore) => LeaseStore;
}

/** Several processes over one memory database, in virtual time. */
export class CoordinatorRig {
  readonly scheduler: Scheduler = new Scheduler();
  readonly storeClock: VirtualClock = new VirtualClock(this.scheduler);
  readonly database: MemoryDatabase = new MemoryDatabase();
  readonly nodes: RigNode[] = [];

  get nowMs(): number {
    return this.scheduler.nowMs;
  }

  get storeNow(): StoreInstant {
    return this.storeClock.now().monotonicMs as StoreInstant;
  }

  start(memberId: string, options: NodeOptions = {}): RigNode {
    const node = new RigNode(this, memberId, options);
    this.nodes.push(node);
    return node;
  }

  /** Runs until something holds; fails when it does not within `limitMs`. */
  async until(what: string, holds: () => boolean, limitMs: number = 20_000): Promise<void> {
    const endMs = this.nowMs + limitMs;
    await this.scheduler.runUntil(this.nowMs);
    while (!holds()) {
      if (!(await this.scheduler.step(endMs))) throw new Error(`${what}: not within ${limitMs} ms of virtual time`);
    }
  }

  async runFor(durationMs: number, afterEach?: () => void): Promise<void> {
    await this.scheduler.runFor(durationMs, afterEach);
  }

  /** What `promise` comes to, which needs virtual time to pass. */
  async settle<T>(promise: Promise<T>, limitMs?: number): Promise<T> {
    let isSettled = false;
    const note = (): void => {
      isSettled = true;
    };
    promise.then(note, note);
    await this.until('the promise settles', () => isSettled, limitMs);
    return await promise;
  }

  /** Who holds the group, by the store: a session's id. */
  holderOf(groupId: string): string | null {
    return this.database.read([groupId], this.storeNow)[0]!.holder?.sessionId ?? null;
  }
}

/** One process. */
export class RigNode {
  readonly memberId: string;
  readonly clock: VirtualClock;
  readonly timers: CountingClock;
  readonly coordinator: Coordinator;
  /** Every call of the store, when it was sent. */
  readonly calls: RecordedCall[] = [];
  /** Every event so far. */
  readonly events: CoordinatorEvent[] = [];
  /** What becomes of a call. Tests change it as they go. */
  fate: (operation: string) => Fate = () => SMOOTH;
  readonly #rig: CoordinatorRig;
  readonly #works = new Map<string, ScriptedWork>();

  constructor(rig: CoordinatorRig, memberId: string, { isDirect, ownsStore, wrap, rate, wallMs, ...options }: NodeOptions) {
    this.#rig = rig;
    this.memberId = memberId;
    this.clock = new VirtualClock(rig.scheduler, { ...(rate !== undefined && { rate }), ...(wallMs !== undefined && { wallMs }) });
    this.timers = new CountingClock(this.clock);
    const direct = memoryLeaseStore({ database: rig.database, clock: rig.storeClock });
    const reached =
      isDirect === true
        ? direct
        : faultyStore(direct, {
            scheduler: rig.scheduler,
            fate: (operation) => this.fate(operation),
            receive: (callback) => this.clock.whenRunning(callback),
          });
    const recorded = recordingStore(wrap?.(reached) ?? reached, this.calls, () => rig.nowMs);
    this.coordinator = createCoordinator({
      ttlMs: TTL_MS,
      heartbeatMs: HEARTBEAT_MS,
      safetyMarginMs: MARGIN_MS,
      callDeadlineMs: CALL_DEADLINE_MS,
      ...options,
      store: ownsStore === true ? () => recorded : recorded,
      memberId,
      clock: this.timers,
    });
    const kinds: CoordinatorEventKind[] = ['group', 'session', 'overrun', 'store-fault', 'store-recovered'];
    for (const kind of kinds) this.coordinator.on(kind, (event) => this.events.push(event));
  }

  /** Leads with {@link ScriptedWork}, which `work(groupId)` gives out. */
  lead(groupId: string, options: LeadOptions = {}, isDeaf: boolean = false): Promise<LeadResult<unknown>> {
    const work = new ScriptedWork(() => this.#rig.nowMs, isDeaf);
    this.#works.set(groupId, work);
    const result = this.coordinator.lead(groupId, work.start, options);
    // Whoever wants it awaits it; a run that a test leaves behind is nobody's failure.
    result.catch(() => undefined);
    return result;
  }

  work(groupId: string): ScriptedWork {
    const work = this.#works.get(groupId);
    if (!work) throw new Error(`${this.memberId} never led ${groupId}`);
    return work;
  }

  group(groupId: string): GroupStatus | undefined {
    return this.coordinator.status().groups.find((group) => group.groupId === groupId);
  }

  get sessionId(): string | null {
    return this.coordinator.status().session.sessionId;
  }

  isLeading(groupId: string): boolean {
    return this.group(groupId)?.state === 'leading' && this.work(groupId).isRunning;
  }

  /** The changes of a group so far: `from→to (reason)`. */
  history(groupId: string): string[] {
    return this.events.flatMap((event) =>
      event.kind === 'group' && event.groupId === groupId ? [`${event.from}→${event.to} (${event.reason})`] : [],
    );
  }

  callsOf(operation: string): RecordedCall[] {
    return this.calls.filter((call) => call.operation === operation);
  }

  /** Cuts the way to the store, both ways; what is under way still arrives there. */
  cutOff(): void {
    this.fate = () => REQUEST_LOST;
  }

  reconnect(): void {
    this.fate = () => SMOOTH;
  }

  /** Ends the process, as with SIGKILL. */
  kill(): void {
    this.cutOff();
    this.clock.kill();
  }
}
