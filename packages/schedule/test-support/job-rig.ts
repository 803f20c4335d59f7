import { createCoordinator, type Coordinator, type LeaseStore, type LeadOptions } from '@wb/core';
import { MemoryDatabase, memoryLeaseStore, type MemoryTransaction, type StoreInstant } from '@wb/core/memory';
import { faultyStore, Scheduler as VirtualTime, VirtualClock, type Fate } from '@wb/core/testing';
import { readJobStatuses, schedule, type Job, type JobContext, type JobEvent, type JobStatus, type ScheduleOptions } from '../src/index.js';

export const GROUP = 'orders';
export const TTL_MS = 1_000;
/** 2026-01-01T00:00:00Z. */
export const START_MS = 1_767_225_600_000;

const SMOOTH: Fate = { deliverAfterMs: [1], replyAfterMs: 1 };
const LOST: Fate = { deliverAfterMs: [], replyAfterMs: null };

/** One run of a job, as the work sees it. */
export interface SeenRun {
  readonly member: string;
  readonly context: JobContext<MemoryTransaction>;
  /** By the wall clock of the start, in ms after {@link START_MS}. */
  readonly atMs: number;
}

export type RigOptions = Partial<ScheduleOptions> & Pick<ScheduleOptions, 'job'>;

/** What a run does. Default: it takes no time. */
export type Script = (run: SeenRun) => unknown;

/** Several members with jobs, over one memory database, in virtual time. */
export class JobRig {
  readonly time: VirtualTime = new VirtualTime();
  readonly database: MemoryDatabase = new MemoryDatabase();
  readonly runs: SeenRun[] = [];
  readonly #wallMs: number;
  /** Without a network between. */
  readonly store: LeaseStore;

  constructor(wallMs: number = START_MS) {
    this.#wallMs = wallMs;
    this.store = memoryLeaseStore({ database: this.database, clock: new VirtualClock(this.time) });
  }

  /** Since the beginning, in ms. */
  get nowMs(): number {
    return this.time.nowMs;
  }

  get storeNow(): StoreInstant {
    return this.time.nowMs as StoreInstant;
  }

  member(memberId: string, ttlMs: number = TTL_MS): JobMember {
    return new JobMember(this, memberId, this.#wallMs, ttlMs);
  }

  async runFor(ms: number): Promise<void> {
    await this.time.runFor(ms);
  }

  /** Runs until something holds; fails when it does not within `limitMs` of virtual time. */
  async until(what: string, holds: () => boolean, limitMs: number = 60_000): Promise<void> {
    const endMs = this.nowMs + limitMs;
    await this.time.runUntil(this.nowMs);
    while (!holds()) {
      if (!(await this.time.step(endMs))) throw new Error(`${what}: not within ${limitMs} ms of virtual time`);
    }
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

  async status(job: string): Promise<JobStatus> {
    const found = (await readJobStatuses(this.store, GROUP)).find(({ jobId }) => jobId === job);
    if (found === undefined) throw new Error(`no leader has seen ${job}`);
    return found;
  }

  /** Scheduled times of the runs so far, in ms after the beginning. */
  get scheduled(): number[] {
    return this.runs.map(({ context }) => context.scheduledAt.getTime() - this.#wallMs);
  }
}

/** One process. */
export class JobMember {
  readonly clock: VirtualClock;
  readonly coordinator: Coordinator;
  readonly events: JobEvent[] = [];
  readonly logs: string[] = [];
  /** What becomes of a call. Tests change it as they go. */
  fate: (operation: string) => Fate = () => SMOOTH;
  readonly #rig: JobRig;
  readonly #memberId: string;

  constructor(rig: JobRig, memberId: string, wallMs: number, ttlMs: number) {
    this.#rig = rig;
    this.#memberId = memberId;
    this.clock = new VirtualClock(rig.time, { wallMs });
    const direct = memoryLeaseStore({ database: rig.database, clock: new VirtualClock(rig.time) });
    const faulty = faultyStore(direct, {
      scheduler: rig.time,
      fate: (operation) => this.fate(operation),
      receive: (callback) => this.clock.whenRunning(callback),
    });
    // Fenced transactions are more than one statement: they go past the network.
    const store: LeaseStore = { ...faulty, capabilities: { ...faulty.capabilities, fencing: true }, fenced: direct.fenced.bind(direct) };
    this.coordinator = createCoordinator({ store, memberId, ttlMs, heartbeatMs: ttlMs / 5, callDeadlineMs: 230, clock: this.clock });
  }

  schedule(options: RigOptions, script: Script = () => undefined, lead: LeadOptions = {}): Job {
    const { clock } = this;
    return schedule<MemoryTransaction>(
      this.coordinator,
      {
        group: GROUP,
        callDeadlineMs: 230,
        clock,
        lead,
        onEvent: (event) => this.events.push(event),
        log: (line) => this.logs.push(line),
        ...options,
      },
      (context) => {
        const run = { member: this.#memberId, context, atMs: this.#rig.nowMs };
        this.#rig.runs.push(run);
        return script(run);
      },
    );
  }

  kinds(): string[] {
    return this.events.map(({ kind }) => kind);
  }

  /** A run that takes so long, and throws when it is aborted. */
  busy(durationMs: number): (run: Pick<SeenRun, 'context'>) => Promise<void> {
    return ({ context: { signal } }) =>
      new Promise((resolve, reject) => {
        const timer = this.clock.schedule(durationMs, resolve);
        signal.addEventListener('abort', () => {
          timer.cancel();
          reject(signal.reason as Error);
        });
      });
  }

  /** Ends the process, as with SIGKILL. */
  kill(): void {
    this.fate = () => LOST;
    this.clock.kill();
  }

  cutOff(): void {
    this.fate = () => LOST;
  }

  reconnect(): void {
    this.fate = () => SMOOTH;
  }
}
