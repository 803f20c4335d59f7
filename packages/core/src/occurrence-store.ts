/**
 * The part of the contract that recurring jobs need: one small record for each job of a group, which is replaced only by whoever leads the group, and only from the version that he knows.
 * So of all who want to run an occurrence one can write that he does, and a new leader finds what the old one has written. Rules O1–O6 of `docs/protocol.md`.
 *
 * @module
 */
import type { FenceLease } from './fence.js';
import type { CallOptions } from './lease-store.js';

/** The record of a job, as the store has it. */
export interface JobEntry {
  readonly groupId: string;
  /** The job's name; of its group alone. 1–255 characters, no control characters. */
  readonly jobId: string;
  /** How often the record has been written: 1 for the first write, then exactly one more with each (O2). */
  readonly version: number;
  /** The {@link JobWrite.writeId} of the last write: tells its sender that it was his (O3). */
  readonly writeId: string;
  /** The term of the last write that was made under a lease; 0 if there was none. */
  readonly term: number;
  /** What was written, unchanged. The store does not look into it. */
  readonly record: string;
}

/** A record to be written. */
export interface JobWrite {
  readonly groupId: string;
  readonly jobId: string;
  /** The version that it replaces; 0: there is no record yet. It is applied only if that is still the last one (O2). */
  readonly expectedVersion: number;
  /** Random, and of this write alone: 1–255 characters, no control characters. A repeat of the write has the same (O3). */
  readonly writeId: string;
  /** At most {@link MAX_JOB_RECORD_BYTES} as UTF-8; without NUL and unpaired surrogates, which not every database can keep. */
  readonly record: string;
  /**
   * The lease under which it is written: applied only if that stands (O1). `null`: the write of an operator, who pauses a job, say; the version alone guards it.
   */
  readonly lease: Pick<FenceLease, 'term' | 'sessionId'> | null;
}

/** What became of a write. All three are definite, whatever may have become of earlier attempts of the same write. */
export type JobWriteResult =
  /** The record is as it was to be written, by this attempt or by an earlier one (O3). */
  | { readonly kind: 'written'; readonly version: number }
  /** The record has another version than was expected: nothing was written. `null`: there is none. */
  | { readonly kind: 'stale'; readonly current: JobEntry | null }
  /** The lease does not stand: a later term exists, or it was released. Nothing was written, and nothing will be. */
  | { readonly kind: 'fenced' };

/** The part of a store that keeps the records of jobs: there if `capabilities.occurrences`. */
export interface OccurrenceStore {
  /** The records of all jobs of a group, by name. */
  readJobs(groupId: string, options?: CallOptions): Promise<readonly JobEntry[]>;

  /**
   * Replaces the record of a job in one step, if the lease stands and the version is the one that is expected (O1, O2). No later term is granted while it is under way. One round trip. To be repeated, as it is, after an unknown outcome (O3).
   */
  writeJob(write: JobWrite, options?: CallOptions): Promise<JobWriteResult>;
}

/** The longest record of a job, in bytes as UTF-8. */
export const MAX_JOB_RECORD_BYTES = 32_768;
