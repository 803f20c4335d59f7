import { createCoordinator, type Coordinator, type LeaseStore } from '@wb/core';
import { type Random, type Scheduler as VirtualTime, VirtualClock } from '@wb/core/testing';
import { createScheduler, type Job, type JobContext, type JobEvent, type Scheduler } from '../src/index.js';
import { START_MS, type JobSpec } from './job-spec.js';
import { type Habit, Run } from './run.js';

/** How long things take in a world. */
export interface WorldTimings {
  readonly ttlMs: number;
  readonly heartbeatMs: number;
  readonly callDeadlineMs: number;
  readonly refreshMs: number;
}

/** What a member needs from the world around it. */
export interface MemberHost {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly timings: WorldTimings;
  readonly specs: readonly JobSpec[];
  optionsOf(spec: JobSpec): JobSpec['options'];
  habitOf(spec: JobSpec): Habit;
  trace(text: string): void;
  began(member: SimMember, run: Run): void;
  settled(run: Run, how: 'returned' | 'threw'): void;
  noted(run: Run, value: number, state: 'sent' | 'acknowledged'): void;
  stopped(spec: JobSpec): void;
  event(event: JobEvent): void;
}

/** Options of {@link SimMember}. */
export interface SimMemberOptions {
  readonly host: MemberHost;
  readonly memberId: string;
  readonly incarnation: number;
  readonly rate: number;
  readonly connect: (clock: VirtualClock) => LeaseStore;
  /** Between the coordinator and its jobs. */
  readonly coordinator?: (real: Coordinator, clock: VirtualClock) => Coordinator;
}

/** One process: a real coordinator and real jobs, virtual clocks, a bad network, and work of all kinds. */
export class SimMember {
  readonly name: string;
  readonly memberId: string;
  readonly clock: VirtualClock;
  readonly coordinator: Coordinator;
  readonly runs: Set<Run> = new Set();
  isAlive = true;
  isClosing = false;
  readonly #host: MemberHost;
  readonly #jobs = new Map<JobSpec, Job>();
  #jumpedMs = 0;

  constructor({ host, memberId, incarnation, rate, connect, coordinator = (real) => real }: SimMemberOptions) {
    this.#host = host;
    this.memberId = memberId;
    this.name = `${memberId}#${incarnation}`;
    const { ttlMs, heartbeatMs, callDeadlineMs } = host.timings;
    this.clock = new VirtualClock(host.time, { rate, wallMs: START_MS + host.random.between(-20, 20) });
    const store = connect(this.clock);
    this.coordinator = coordinator(
      withRandom(host.random, () => createCoordinator({ store, memberId, ttlMs, heartbeatMs, callDeadlineMs, clock: this.clock })),
      this.clock,
    );
    this.#follow();
  }

  #follow(): void {
    const trace = (text: string): void => this.#host.trace(text);
    this.coordinator.on('group', ({ groupId, from, to, reason, term }) => {
      trace(`${this.name} ${groupId}: ${from} → ${to} (${reason}${term === null ? '' : `, term ${term}`})`);
    });
    this.coordinator.on('session', ({ from, to, reason }) => trace(`${this.name} session: ${from} → ${to} (${reason})`));
  }

  get isRunning(): boolean {
    return this.isAlive && !this.clock.isPaused;
  }

  get jobs(): readonly (readonly [JobSpec, Job])[] {
    return [...this.#jobs];
  }

  get wallMs(): number {
    return this.clock.now().wallMs;
  }

  /** Runs a job here, if it does not yet. */
  attach(spec: JobSpec): void {
    if (!this.isRunning || this.isClosing || this.#jobs.has(spec)) return;
    const host = this.#host;
    const scheduler = this.scheduler(spec.groupId);
    const job = scheduler.attach(
      {
        ...host.optionsOf(spec),
        job: spec.jobId,
        onEvent: (event) => {
          host.trace(`${this.name} ${describeEvent(event)}`);
          host.event(event);
        },
        log: () => undefined,
      },
      async (context) => await this.#run(spec, context),
    );
    scheduler.start();
    this.#jobs.set(spec, job);
    job.done.then(
      ({ reason }) => this.#left(spec, job, reason),
      (error: unknown) => this.#left(spec, job, String(error)),
    );
  }

  /** The jobs of one group here. */
  scheduler(groupId: string): Scheduler {
    const { heartbeatMs, refreshMs, callDeadlineMs } = this.#host.timings;
    return createScheduler(this.coordinator, {
      group: groupId,
      refreshMs,
      callDeadlineMs,
      clock: this.clock,
      lead: { backOff: { minMs: heartbeatMs / 10, maxMs: heartbeatMs } },
    });
  }

  async stop(spec: JobSpec, isAtOnce: boolean): Promise<void> {
    const job = this.#jobs.get(spec);
    if (job === undefined || !this.isRunning) return;
    if (isAtOnce) this.#host.stopped(spec);
    await (isAtOnce ? job.stopNow() : job.stop());
  }

  jump(byMs: number): void {
    this.clock.jump(byMs);
    this.#jumpedMs += byMs;
  }

  /** Its wall clock is set right. */
  setRight(): void {
    this.jump(-this.#jumpedMs);
  }

  /** The process dies: no timer, answer or promise of it comes any more. */
  kill(): void {
    this.isAlive = false;
    this.clock.kill();
    this.runs.clear();
    this.#jobs.clear();
  }

  #left(spec: JobSpec, job: Job, reason: string): void {
    if (this.#jobs.get(spec) === job) this.#jobs.delete(spec);
    this.#host.trace(`${this.name} ${spec.jobId}: ${reason}`);
  }

  async #run(spec: JobSpec, context: JobContext): Promise<void> {
    const host = this.#host;
    const run = new Run({
      context,
      habit: host.habitOf(spec),
      clock: this.clock,
      random: host.random,
      ttlMs: host.timings.ttlMs,
      onNote: (value, state) => host.noted(run, value, state),
    });
    this.runs.add(run);
    host.began(this, run);
    try {
      await run.work();
      host.settled(run, 'returned');
    } catch (error) {
      host.settled(run, 'threw');
      throw error;
    } finally {
      this.runs.delete(run);
    }
  }
}

/** A coordinator takes its source of random numbers when it is made: so the same seed is the same run. */
function withRandom<T>(random: Random, make: () => T): T {
  const real = Math.random;
  Math.random = () => random.next();
  try {
    return make();
  } finally {
    Math.random = real;
  }
}

function describeEvent({ groupId: _group, jobId, term, kind, ...rest }: JobEvent): string {
  return `${jobId} in term ${term}: ${kind} ${JSON.stringify(rest, (_, value: unknown) => (value instanceof Error ? value.message : value))}`;
}
