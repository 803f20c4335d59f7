import type { CallOptions } from '@wb/core';
import type { AttachedJob, GroupParts } from './job-loop.js';
import {
  answerInterrupted,
  pauseJob,
  readJobStatus,
  requestRun,
  restartJob,
  resumeJob,
  type JobCallOptions,
  type JobControlResult,
  type JobStatus,
} from './job-status.js';

/** How a job ended on this member. */
export interface JobEnd {
  /**
   * `finished`: it is over, for the whole group: no more times, or `maxCount` is reached. `failed`: over, by `…TERMINATE`. `stopped`: it was stopped or detached here. `closed`: the coordinator was closed.
   */
  readonly reason: 'finished' | 'failed' | 'stopped' | 'closed';
}

/** A job on this member. */
export interface Job {
  readonly groupId: string;
  readonly jobId: string;
  /** Resolves when the job has ended here; rejects with what the coordinator's `lead` throws, e.g. `GROUP_ALREADY_LED`. */
  readonly done: Promise<JobEnd>;
  /**
   * The job's record; `null` while no leader has seen it. One store call, bounded by `callDeadlineMs`, as each one below.
   * @throws `StoreError`; `WbError` `JOB_RECORD_UNREADABLE`.
   */
  status(options?: CallOptions): Promise<JobStatus | null>;
  /** Nothing begins on any member until {@link Job.resume}; what runs is run to its end. */
  pause(options?: CallOptions): Promise<JobControlResult>;
  /** Goes on: times that came while it was paused are not made up for. */
  resume(options?: CallOptions): Promise<JobControlResult>;
  /** Has the leader run the job once, as soon as it does not run, and no retry or answer is waited for. `maxCount` does not count it. */
  runNow(options?: CallOptions): Promise<JobControlResult>;
  /** Decides about an interrupted occurrence that waits for an answer (`onInterrupted: 'ask'`). */
  answerInterrupted(answer: 'rerun' | 'skip', options?: CallOptions): Promise<JobControlResult>;
  /** Has the schedule begin anew; see {@link restartJob}. One that is over runs on members that schedule it from then on. */
  restart(options?: CallOptions): Promise<JobControlResult>;
  /** Graceful, on this member alone: begins nothing more, and resolves when what runs has ended. Another member goes on if this one has no other job in the group. */
  stop(): Promise<JobEnd>;
  /** As {@link Job.stop}, and aborts what runs. What does not return then stays interrupted, for the next leader to find. */
  stopNow(): Promise<JobEnd>;
}

/** What a {@link JobHandle} asks of the scheduler. */
interface JobHost {
  stop(why: string | undefined): void;
  /** Has the records looked at, if this member leads. */
  refresh(): void;
}

/** See {@link Job}. */
export class JobHandle implements Job {
  readonly attached: AttachedJob;
  readonly done: Promise<JobEnd>;
  /** Whether it is to leave. */
  isStopping = false;
  readonly #group: GroupParts;
  readonly #host: JobHost;
  #resolve!: (end: JobEnd) => void;
  #reject!: (error: unknown) => void;

  constructor(group: GroupParts, attached: AttachedJob, host: JobHost) {
    this.#group = group;
    this.attached = attached;
    this.#host = host;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever wants it awaits it.
    this.done.catch(() => undefined);
  }

  get groupId(): string {
    return this.#group.groupId;
  }

  get jobId(): string {
    return this.attached.options.jobId;
  }

  async status(options?: CallOptions): Promise<JobStatus | null> {
    return await readJobStatus(this.#group.store, this.groupId, this.jobId, this.#limits(options));
  }

  async pause(options?: CallOptions): Promise<JobControlResult> {
    return this.#seen(await pauseJob(this.#group.store, this.groupId, this.jobId, this.#limits(options)));
  }

  async resume(options?: CallOptions): Promise<JobControlResult> {
    return this.#seen(await resumeJob(this.#group.store, this.groupId, this.jobId, this.#limits(options)));
  }

  async runNow(options?: CallOptions): Promise<JobControlResult> {
    const nowMs = Math.floor(this.#group.clock.now().wallMs);
    return this.#seen(await requestRun(this.#group.store, this.groupId, this.jobId, nowMs, this.#limits(options)));
  }

  async answerInterrupted(answer: 'rerun' | 'skip', options?: CallOptions): Promise<JobControlResult> {
    return this.#seen(await answerInterrupted(this.#group.store, this.groupId, this.jobId, answer, this.#limits(options)));
  }

  async restart(options?: CallOptions): Promise<JobControlResult> {
    return this.#seen(await restartJob(this.#group.store, this.groupId, this.jobId, this.#limits(options)));
  }

  async stop(): Promise<JobEnd> {
    this.#host.stop(undefined);
    return await this.done;
  }

  async stopNow(): Promise<JobEnd> {
    this.#host.stop('it was stopped on this member');
    return await this.done;
  }

  end(end: JobEnd): void {
    this.#resolve(end);
  }

  fail(error: unknown): void {
    this.#reject(error);
  }

  #limits(options: CallOptions | undefined): JobCallOptions {
    const { callDeadlineMs, clock } = this.#group;
    return { ...options, callDeadlineMs, clock };
  }

  #seen(result: JobControlResult): JobControlResult {
    this.#host.refresh();
    return result;
  }
}
