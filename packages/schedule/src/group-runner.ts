import { StoreError, type JobEntry, type WorkContext } from '@wb/core';
import { JobLoop, type AttachedJob, type GroupParts, type LoopEnd } from './job-loop.js';
import { Alarm, boundedCall } from './waiting.js';

/** All jobs of a group, for one leadership. */
export class GroupRunner {
  readonly #group: GroupParts;
  readonly #context: WorkContext;
  readonly #onEnd: (jobId: string, end: LoopEnd) => void;
  readonly #loops = new Map<string, JobLoop>();
  readonly #abandon = new AbortController();
  readonly #alarm: Alarm;
  /** Aborts when the last job has ended here. */
  readonly #over = new AbortController();
  #failure: { readonly error: unknown } | null = null;
  #onIdle: () => void = () => undefined;

  /** @param onEnd Called when the loop of a job has ended. */
  constructor(group: GroupParts, context: WorkContext, onEnd: (jobId: string, end: LoopEnd) => void) {
    this.#group = group;
    this.#context = context;
    this.#onEnd = onEnd;
    this.#alarm = new Alarm(group.clock);
  }

  /** Runs the jobs until each is over or left, or leadership ends. @throws `JobHungError` when a run does not settle, `LeaseNotHeldError` when the store says that the lease is over, and core does not: then the others have been stopped. */
  async run(jobs: Iterable<AttachedJob>): Promise<void> {
    const attached = [...jobs];
    if (attached.length === 0) return;
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
    const loops = attached.map((job) => this.#create(job));
    // One look for all: else the first write of each would find out that there is a record.
    await this.#read();
    for (const [at, loop] of loops.entries()) this.#start(attached[at]!.options.jobId, loop);
    const endLooking = this.#group.looks.begin();
    const polling = this.#poll();
    await idle;
    await polling;
    endLooking();
    if (this.#failure !== null) throw this.#failure.error;
  }

  /** @returns whether it was taken: after the end of the last job none is, as the lease is about to be released (T7). */
  add(job: AttachedJob): boolean {
    if (this.#over.signal.aborted) return false;
    this.#start(job.options.jobId, this.#create(job));
    return true;
  }

  /** @param why Given: at once. */
  leave(jobId: string, why?: string): void {
    const loop = this.#loops.get(jobId);
    if (why === undefined) loop?.leave();
    else loop?.stopNow(why);
  }

  /** Looks at the records now. */
  refresh(): void {
    this.#alarm.ring();
  }

  #create(job: AttachedJob): JobLoop {
    const loop = new JobLoop(this.#group, job, this.#context, this.#abandon.signal);
    this.#loops.set(job.options.jobId, loop);
    return loop;
  }

  #start(jobId: string, loop: JobLoop): void {
    loop.run().then(
      (end) => this.#ended(jobId, end),
      (error: unknown) => this.#ended(jobId, { kind: 'yield', error }),
    );
  }

  #ended(jobId: string, end: LoopEnd): void {
    this.#loops.delete(jobId);
    // Before anybody hears of the end: what is attached because of it belongs to the next leadership.
    if (this.#loops.size === 0) this.#over.abort();
    this.#onEnd(jobId, end);
    if (end.kind === 'yield' && this.#failure === null) {
      this.#failure = { error: end.error };
      this.#abandon.abort(end.error);
      for (const loop of this.#loops.values()) loop.stopNow('this member yields because of another job of the group');
    }
    if (!this.#over.signal.aborted) return;
    this.#alarm.ring();
    this.#onIdle();
  }

  async #poll(): Promise<void> {
    for (;;) {
      await this.#alarm.sleep(this.#group.looks.pauseMs(this.#group.refreshMs));
      if (this.#over.signal.aborted) return;
      await this.#read();
    }
  }

  async #read(): Promise<void> {
    const { store, groupId, clock, callDeadlineMs } = this.#group;
    try {
      const read = (signal: AbortSignal): Promise<readonly JobEntry[]> => store.readJobs!(groupId, { signal });
      const entries = await boundedCall(clock, 'readJobs', callDeadlineMs, read, this.#over.signal);
      for (const entry of entries) this.#loops.get(entry.jobId)?.adopt(entry);
    } catch (error) {
      const fault = error instanceof Error ? error : new StoreError('STORE_FAULT', String(error));
      for (const loop of this.#loops.values()) loop.reportFault('readJobs', fault);
    }
  }
}
