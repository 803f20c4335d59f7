import { LeaseNotHeldError, WbError, type Clock, type JobEntry, type LeaseStore, type WorkContext } from '@wb/core';
import { runAttempt, type AttemptResult } from './attempt.js';
import { decide, type Decision } from './decide.js';
import { contextOf } from './job-context.js';
import { JobStoppedError } from './job-errors.js';
import type { JobEvent, JobNote } from './job-events.js';
import { JobLedger } from './job-ledger.js';
import type { ResolvedJobOptions } from './job-options.js';
import type { JobRecord, RunningOccurrence } from './job-record.js';
import type { JobRun } from './job-types.js';
import type { LookRate } from './look-rate.js';
import { isSameAttempt, settle, type AttemptEnd, type Settlement } from './settle.js';
import { Alarm } from './waiting.js';

/** How long after the end of leadership the outcome of a run may still be written down, in ms. */
const LAST_WORDS_MS = 2_000;

/** What is the same for all jobs of a group. */
export interface GroupParts {
  readonly store: LeaseStore;
  readonly groupId: string;
  readonly clock: Clock;
  /** How often the records are looked at, in ms. */
  readonly refreshMs: number;
  /** Makes that rarer where many groups are led. */
  readonly looks: LookRate;
  readonly callDeadlineMs: number;
}

/** A job as it was attached. */
export interface AttachedJob {
  readonly options: ResolvedJobOptions;
  readonly run: JobRun;
}

/** Why a loop ended. */
export type LoopEnd =
  /** The job is over, for good. */
  | { readonly kind: 'over'; readonly isFailed: boolean }
  /** Leadership ended, or the job was detached. */
  | { readonly kind: 'left' }
  /** This member has to yield: a run does not settle, or the store says that the lease is over. */
  | { readonly kind: 'yield'; readonly error: unknown };

/** One job, for as long as this member leads its group: decides, writes, waits, runs. */
export class JobLoop {
  readonly #group: GroupParts;
  readonly #job: AttachedJob;
  readonly #context: WorkContext;
  readonly #abandon: AbortSignal;
  readonly #ledger: JobLedger;
  readonly #alarm: Alarm;
  readonly #stop = new AbortController();
  /** What this loop wants to run, from when its claim is sent until it begins. */
  #claimed: (Decision & { readonly kind: 'run' }) | null = null;
  #isLeaving = false;
  /** What has been told of already. */
  #aheadToMs: number | null = null;
  #unreadableVersion: number | null = null;

  /** @param abandon Aborts when this member gives up its runs, whether they settle or not. */
  constructor(group: GroupParts, job: AttachedJob, context: WorkContext, abandon: AbortSignal) {
    this.#group = group;
    this.#job = job;
    this.#context = context;
    this.#abandon = abandon;
    this.#alarm = new Alarm(group.clock);
    const { signal, lease } = context;
    this.#ledger = new JobLedger({
      ...group,
      jobId: job.options.jobId,
      lease,
      signal,
      lastWordsMs: LAST_WORDS_MS,
      onFault: (operation, error) => this.reportFault(operation, error),
    });
  }

  /** Takes in a record that was read. */
  adopt(entry: JobEntry): void {
    if (this.#ledger.adopt(entry)) this.#alarm.ring();
  }

  reportFault(operation: 'readJobs' | 'writeJob', error: Error): void {
    this.#emit([{ kind: 'store-fault', operation, error }]);
  }

  /** Begins nothing more; what runs is run to its end. */
  leave(): void {
    this.#isLeaving = true;
    this.#alarm.ring();
  }

  /** Aborts what runs, too. It stays in the record as running: whoever leads next finds it interrupted. */
  stopNow(why: string): void {
    this.#stop.abort(new JobStoppedError(this.#job.options.jobId, why));
    this.leave();
  }

  async run(): Promise<LoopEnd> {
    const { signal } = this.#context;
    const onEnd = (): void => {
      this.#stop.abort(signal.reason);
      this.#alarm.ring();
    };
    signal.addEventListener('abort', onEnd);
    if (signal.aborted) onEnd();
    try {
      for (;;) {
        if (this.#isLeaving || signal.aborted) return { kind: 'left' };
        const end = await this.#step();
        if (end !== null) return end;
      }
    } finally {
      signal.removeEventListener('abort', onEnd);
    }
  }

  /** `null`: and so on. */
  async #step(): Promise<LoopEnd | null> {
    const decision = await this.#decide();
    switch (decision?.kind) {
      case undefined:
        return await this.#untilEnd();
      case 'over':
        return { kind: 'over', isFailed: decision.reason === 'error' };
      case 'write':
        this.#emit(decision.notes);
        this.#log(decision.logs ?? []);
        return null;
      case 'wait': {
        const { clock, refreshMs } = this.#group;
        const { wallMs } = clock.now();
        this.#tellAhead(decision.decidedToMs ?? null, wallMs);
        const delayMs = decision.untilMs === null ? refreshMs : decision.untilMs - wallMs;
        // Never for long: the wall clock may be set meanwhile.
        await this.#alarm.sleep(Math.max(0, Math.min(delayMs, refreshMs)));
        return null;
      }
      case 'run':
        // The write may have taken long: is it still ours to do (T10)?
        if (!this.#context.lease.isHeld() || this.#stop.signal.aborted) return { kind: 'left' };
        this.#claimed = null;
        this.#emit(decision.notes);
        return await this.#run(decision.record.running);
    }
  }

  /** What is to be done, written down where it has to be; `null` when the lease is over. */
  async #decide(): Promise<Decision | null> {
    const { clock } = this.#group;
    const { policy } = this.#job.options;
    const { term, memberId, lease } = this.#context;
    let decision: Decision | null = null;
    try {
      const result = await this.#ledger.update((record) => {
        // Somebody else decides now: what is claimed here would only be found interrupted.
        if (this.#stop.signal.aborted || !lease.isHeld()) {
          decision = null;
          return null;
        }
        decision = this.#unbegun(record);
        if (decision !== null) return null;
        decision = decide(record, policy, Math.floor(clock.now().wallMs), { term, memberId });
        this.#claimed = decision.kind === 'run' ? decision : null;
        return 'record' in decision ? decision.record : null;
      });
      return result === 'lease-over' ? null : decision;
    } catch (error) {
      if (!(error instanceof WbError)) throw error;
      const { version } = this.#ledger;
      if (this.#unreadableVersion !== version) this.#emit([{ kind: 'unreadable', error }]);
      this.#unreadableVersion = version;
      return { kind: 'wait', untilMs: null };
    }
  }

  /** A claim of unknown outcome that was applied: an operator has written after it, so that its repeat was answered `stale` (O3). It is no interruption; `null`: there is none. */
  #unbegun(record: JobRecord | null): Decision | null {
    const running = record?.running ?? null;
    if (record === null || running === null || this.#claimed === null || !isSameAttempt(running, this.#claimed.record.running)) return null;
    return { ...this.#claimed, record: { ...record, running } };
  }

  async #run(attempt: RunningOccurrence): Promise<LoopEnd | null> {
    const { clock, store } = this.#group;
    const { jobId, timeoutMs, settleMs, policy } = this.#job.options;
    const end: AttemptResult = await runAttempt({
      jobId,
      clock,
      timeoutMs,
      settleMs,
      stop: this.#stop.signal,
      abandon: this.#abandon,
      run: (signal) => this.#job.run(contextOf({ store, jobId, work: this.#context, ledger: this.#ledger, attempt, signal })),
    });
    if (end.kind === 'stopped') return { kind: 'left' };
    const isWritten = await this.#settle(attempt, end, (record) => settle(record, attempt, end, policy, Math.floor(clock.now().wallMs)));
    if (end.kind === 'hung') return { kind: 'yield', error: end.error };
    return isWritten ? null : await this.#untilEnd();
  }

  /** @returns whether the lease was not seen to be over. */
  async #settle(
    attempt: RunningOccurrence,
    end: AttemptEnd,
    settled: (record: Parameters<typeof settle>[0]) => Settlement | null,
  ): Promise<boolean> {
    let settlement: Settlement | null = null;
    const result = await this.#ledger.update((record) => {
      const next = settled(record);
      // Not about that attempt any more, after it was once: what was sent has been applied, and an operator has written after it (O3).
      settlement = next ?? settlement;
      return next?.record ?? null;
    });
    if (result === 'lease-over') {
      const what = `occurrence ${attempt.occurrence} ${end.kind}, which could not be written down: leadership has ended`;
      this.#log([`${what}; the next leader finds it interrupted`]);
      return false;
    }
    const { notes, logs } = (settlement as Settlement | null) ?? { notes: [], logs: [] };
    this.#log(logs);
    this.#emit(notes);
    return true;
  }

  /** The lease does not stand, or something was not found out in time: core will see it soon, too. If it does not, this member yields, so that another can go on. */
  async #untilEnd(): Promise<LoopEnd> {
    const { signal, term } = this.#context;
    const { clock, groupId, refreshMs } = this.#group;
    const { jobId } = this.#job.options;
    const endMs = clock.now().monotonicMs + refreshMs;
    while (!signal.aborted && !this.#isLeaving) {
      const leftMs = endMs - clock.now().monotonicMs;
      if (leftMs <= 0) {
        const why = `the store takes no record of job ${JSON.stringify(jobId)} under it any more: this member yields`;
        return { kind: 'yield', error: new LeaseNotHeldError(groupId, term, why) };
      }
      await this.#alarm.sleep(leftMs);
    }
    return { kind: 'left' };
  }

  /** That times are decided which are ahead of this clock: once. */
  #tellAhead(decidedToMs: number | null, nowMs: number): void {
    if (decidedToMs !== null && decidedToMs !== this.#aheadToMs) this.#emit([{ kind: 'ahead', decidedToMs, nowMs: Math.floor(nowMs) }]);
    this.#aheadToMs = decidedToMs;
  }

  #log(lines: readonly string[]): void {
    const { groupId } = this.#group;
    const { jobId, log } = this.#job.options;
    // From turns of their own, as events.
    for (const line of lines) queueMicrotask(() => log(`job ${JSON.stringify(jobId)} of group ${JSON.stringify(groupId)}: ${line}`));
  }

  #emit(notes: readonly JobNote[]): void {
    const { groupId } = this.#group;
    const { jobId, onEvent } = this.#job.options;
    for (const note of notes) {
      const event: JobEvent = { groupId, jobId, term: this.#context.term, ...note };
      // From a turn of its own: what it throws stops no job.
      queueMicrotask(() => onEvent(event));
    }
  }
}
