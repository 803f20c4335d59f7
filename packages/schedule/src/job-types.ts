import type { FencedOptions, Lease } from '@wb/core';
import type { OccurrenceCause } from './job-record.js';

/** What a run of a job gets. `Tx` is the transaction that the store's `fenced` gives, e.g. `PostgresTransaction`. */
export interface JobContext<Tx = unknown> {
  readonly groupId: string;
  readonly jobId: string;
  /** The time for which this occurrence was scheduled; of a `manual` one, when it was asked for. With the job's name it names the occurrence. */
  readonly scheduledAt: Date;
  /** Counts the runs of the job in the whole group, from 1. */
  readonly occurrence: number;
  readonly cause: OccurrenceCause;
  /** From 1; above it, the attempts before have failed. */
  readonly attempt: number;
  /** Whether it was begun before, and its leader ended meanwhile: what it did then may have been done. */
  readonly isRerun: boolean;
  /** The fencing token: send it along with every side effect that can check it. */
  readonly term: number;
  readonly memberId: string;
  /** Aborts when leadership ends, the time is over, or the job is stopped at once. Work that stops because of it must throw: what returns has succeeded. */
  readonly signal: AbortSignal;
  readonly lease: Lease;
  /**
   * Runs `work` in a transaction of the store's database that commits only if this member still leads (L6, T8).
   * @throws `FencedError` `FENCED`: nothing was written; `WbError` `NOT_SUPPORTED`; what the store's `fenced` throws.
   */
  readonly fenced: <T>(work: (transaction: Tx) => T | PromiseLike<T>, options?: FencedOptions) => Promise<T>;
  /**
   * Notes how far this occurrence has come, under the fence: a later attempt, or a rerun on another member, finds it as `lastCheckpoint`. Forgotten when the occurrence is over.
   * @param value JSON of at most 8,192 bytes.
   * @throws `LeaseNotHeldError` `LEASE_NOT_HELD` if this run has nothing to say any more: stop; `WbOptionError` `INVALID_OPTION`; `WbError` `JOB_RECORD_UNREADABLE`.
   */
  readonly checkpoint: (value: unknown) => Promise<void>;
  /** What `checkpoint` was given last, by whichever attempt of this occurrence; `null` if nothing was. */
  readonly lastCheckpoint: unknown;
}

/** The work of a job. It has succeeded when it returns, and failed when it throws. */
export type JobRun<Tx = unknown> = (context: JobContext<Tx>) => unknown;
