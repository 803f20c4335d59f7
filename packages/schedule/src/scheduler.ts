import {
  assertDuration,
  assertName,
  systemClock,
  WbError,
  WbOptionError,
  type Clock,
  type Coordinator,
  type LeadOptions,
  type WorkContext,
} from '@wb/core';
import { GroupRunner } from './group-runner.js';
import { JobHandle, type Job } from './job-handle.js';
import type { GroupParts } from './job-loop.js';
import { resolveJobOptions, type JobOptions } from './job-options.js';
import type { JobRun } from './job-types.js';
import { LookRate } from './look-rate.js';
import { occurrencesOf } from './job-status.js';

/** Options of a group's jobs together. */
export interface GroupOptions {
  /** The group that is led: one leader runs all its jobs. */
  readonly group: string;
  /** How often the leader looks at the records, in ms: how soon it sees what an operator wants. Rarer where one process leads more than a thousand groups with jobs: 500 looks a second in all. Default: 2,000. Range: 1 and more. */
  readonly refreshMs?: number;
  /** How long one store call may take, in ms. Default: 5,000. Range: 1 and more. */
  readonly callDeadlineMs?: number;
  /** Local time. Scheduled times are compared with its wall clock. Default: the clocks of this machine. Give another only in tests, the coordinator's. */
  readonly clock?: Clock;
  /** How the group is led. Default: that of `lead`. */
  readonly lead?: Pick<LeadOptions, 'backOff' | 'settleDeadlineMs' | 'onOverrun'>;
}

/** Options of {@link schedule}. Those of the group are taken from its first job on this coordinator. */
export interface ScheduleOptions extends JobOptions, GroupOptions {}

/** The jobs of one group on this member. */
export interface Scheduler extends AsyncDisposable {
  readonly groupId: string;
  /** The jobs that are attached and not over. */
  readonly jobs: readonly Job[];
  /**
   * Adds a job, at any time.
   * @throws `WbOptionError` `INVALID_NAME`, `INVALID_OPTION`, also for a name that is attached already; `WbError` `NOT_SUPPORTED`.
   */
  attach<Tx = unknown>(options: JobOptions, run: JobRun<Tx>): Job;
  /** Takes a job away, here: what runs of it is run to its end. Its record stays. Resolves `false` when there is none of that name. */
  detach(job: string): Promise<boolean>;
  /** Contends for the group, as soon as there is a job. Idempotent. */
  start(): void;
  /** Graceful: begins nothing more, waits for what runs, and hands leadership over. */
  stop(): Promise<void>;
  /** At once: aborts what runs, waits until it has settled, and hands leadership over. What did not return is found interrupted by the next leader. */
  stopNow(): Promise<void>;
}

const schedulers = new WeakMap<Coordinator, { readonly groups: Map<string, GroupScheduler>; readonly looks: LookRate }>();

/**
 * Makes the scheduler of a group's jobs, or returns the one that there is. Nothing runs before {@link Scheduler.start}.
 * @throws `WbOptionError` `INVALID_NAME`, `INVALID_OPTION`; `WbError` `NOT_SUPPORTED` if the store keeps no records of jobs.
 */
export function createScheduler(coordinator: Coordinator, options: GroupOptions): Scheduler {
  return schedulerOf(coordinator, options);
}

/**
 * Runs a recurring job on whichever member leads its group: every scheduled occurrence at most once across all of them. Each is claimed in the store before it runs, by one conditional write under the lease; count, outcome and next time live
 * there, too, so that a new leader goes on exactly where the old one was. The members that do not lead stand by.
 *
 * @throws `WbOptionError` `INVALID_NAME`, `INVALID_OPTION`; `WbError` `NOT_SUPPORTED` if the store keeps no records of jobs. Nothing has been touched then.
 */
export function schedule<Tx = unknown>(coordinator: Coordinator, options: ScheduleOptions, run: JobRun<Tx>): Job {
  // First, so that a mistake in it leaves nothing behind.
  resolveJobOptions(options);
  const scheduler = schedulerOf(coordinator, options);
  const job = scheduler.attach(options, run);
  scheduler.start();
  return job;
}

function schedulerOf(coordinator: Coordinator, options: GroupOptions): GroupScheduler {
  const { group, refreshMs = 2_000, callDeadlineMs = 5_000, clock = systemClock, lead = {} } = options;
  assertName('group', group);
  const own = schedulers.get(coordinator) ?? { groups: new Map<string, GroupScheduler>(), looks: new LookRate() };
  const existing = own.groups.get(group);
  if (existing !== undefined) return existing;
  assertDuration('refreshMs', refreshMs, 1);
  assertDuration('callDeadlineMs', callDeadlineMs, 1);
  occurrencesOf(coordinator.store);
  const { store } = coordinator;
  const scheduler = new GroupScheduler(coordinator, { store, groupId: group, clock, refreshMs, looks: own.looks, callDeadlineMs }, lead);
  own.groups.set(group, scheduler);
  schedulers.set(coordinator, own);
  return scheduler;
}

/** One contention for the group, from its beginning to its end. */
interface Contention {
  readonly abort: AbortController;
  readonly ended: Promise<void>;
}

class GroupScheduler implements Scheduler {
  readonly #coordinator: Coordinator;
  readonly #group: GroupParts;
  readonly #lead: NonNullable<GroupOptions['lead']>;
  readonly #jobs = new Map<string, JobHandle>();
  #isStarted = false;
  #contention: Contention | null = null;
  #runner: GroupRunner | null = null;

  constructor(coordinator: Coordinator, group: GroupParts, lead: NonNullable<GroupOptions['lead']>) {
    this.#coordinator = coordinator;
    this.#group = group;
    this.#lead = lead;
  }

  get groupId(): string {
    return this.#group.groupId;
  }

  get jobs(): readonly Job[] {
    return [...this.#jobs.values()];
  }

  attach<Tx = unknown>(options: JobOptions, run: JobRun<Tx>): Job {
    const resolved = resolveJobOptions(options);
    if (typeof run !== 'function') throw new WbOptionError('INVALID_OPTION', 'run', `\`run\` (${typeof run}) must be a function`);
    const { jobId } = resolved;
    if (this.#jobs.has(jobId)) {
      throw new WbOptionError(
        'INVALID_OPTION',
        'job',
        `\`job\` (${JSON.stringify(jobId)}) is attached already: a job has one work per member`,
      );
    }
    // What `fenced` gives to the work is the store's own type: the caller names it.
    const job = new JobHandle(
      this.#group,
      { options: resolved, run: run as JobRun },
      {
        stop: (why) => this.#stopJob(job, why),
        refresh: () => this.#runner?.refresh(),
      },
    );
    this.#jobs.set(jobId, job);
    // Where it is not taken, leadership is ending for want of jobs: then the group is led for anew.
    this.#runner?.add(job.attached);
    this.#ensure();
    return job;
  }

  async detach(jobId: string): Promise<boolean> {
    assertName('job', jobId);
    const job = this.#jobs.get(jobId);
    await job?.stop();
    return job !== undefined;
  }

  start(): void {
    this.#isStarted = true;
    this.#ensure();
  }

  async stop(): Promise<void> {
    await this.#stopAll(undefined);
  }

  async stopNow(): Promise<void> {
    await this.#stopAll('its group was stopped');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stopAll(why: string | undefined): Promise<void> {
    this.#isStarted = false;
    const contention = this.#contention;
    for (const job of this.#jobs.values()) this.#stopJob(job, why);
    await contention?.ended;
  }

  #stopJob(job: JobHandle, why: string | undefined): void {
    const { jobId } = job;
    job.isStopping = true;
    if (this.#runner !== null) {
      this.#runner.leave(jobId, why);
      return;
    }
    this.#finish(jobId, job, 'stopped');
    if (this.#jobs.size === 0) this.#contention?.abort.abort();
  }

  #finish(jobId: string, job: JobHandle, reason: 'finished' | 'failed' | 'stopped' | 'closed'): void {
    if (this.#jobs.get(jobId) === job) this.#jobs.delete(jobId);
    job.end({ reason });
  }

  /** Contends, if there is something to lead for. */
  #ensure(): void {
    if (!this.#isStarted || this.#contention !== null || this.#jobs.size === 0) return;
    const abort = new AbortController();
    const lead = this.#coordinator.lead(this.groupId, (context) => this.#run(context, abort), {
      ...this.#lead,
      onEnd: 'stop',
      onError: 'contend',
      signal: abort.signal,
    });
    const ended = lead.then(
      ({ reason }) => this.#ended(reason === 'closed' ? 'closed' : 'stopped', undefined),
      (error: unknown) => this.#ended('closed', error),
    );
    this.#contention = { abort, ended };
  }

  async #run(context: WorkContext, abort: AbortController): Promise<void> {
    const runner = new GroupRunner(this.#group, context, (jobId, end) => {
      const job = this.#jobs.get(jobId);
      if (job === undefined) return;
      if (end.kind === 'over') this.#finish(jobId, job, end.isFailed ? 'failed' : 'finished');
      else if (job.isStopping) this.#finish(jobId, job, 'stopped');
    });
    this.#leaveStopping();
    this.#runner = runner;
    try {
      await runner.run([...this.#jobs.values()].map(({ attached }) => attached));
    } finally {
      this.#runner = null;
      this.#leaveStopping();
      if (this.#jobs.size === 0) abort.abort();
    }
  }

  /** Those that were stopped when nothing of them ran any more. */
  #leaveStopping(): void {
    for (const [jobId, job] of this.#jobs) if (job.isStopping) this.#finish(jobId, job, 'stopped');
  }

  #ended(reason: 'stopped' | 'closed', error: unknown): void {
    this.#contention = null;
    const isClosed = reason === 'closed';
    // Closed for good; or what was attached in the last moment is led for anew.
    if (!isClosed && this.#isStarted) {
      this.#ensure();
      return;
    }
    for (const [jobId, job] of this.#jobs) {
      if (error !== undefined && !(error instanceof WbError && error.code === 'COORDINATOR_CLOSED')) job.fail(error);
      this.#finish(jobId, job, reason);
    }
  }
}
