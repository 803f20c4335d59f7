import type { JobEndReason, OccurrenceCause, OccurrenceOutcome } from './job-record.js';

/** Why scheduled times were skipped. */
export type SkipReason =
  /** Nobody could run them in time. */
  | 'misfire'
  /** The job still ran. */
  | 'overlap'
  /** It was paused. */
  | 'paused'
  /** Its trigger was changed before they were decided. */
  | 'changed'
  /** Somebody had it begin anew before they were decided. */
  | 'restarted';

/** What happened to a job on this member. */
export type JobEvent = { readonly groupId: string; readonly jobId: string; readonly term: number } & (
  | {
      /** An attempt begins: its claim is written. */
      readonly kind: 'began';
      readonly occurrence: number;
      readonly scheduledAtMs: number;
      readonly cause: OccurrenceCause;
      readonly attempt: number;
      /** Whether the occurrence had been interrupted before. */
      readonly isRerun: boolean;
    }
  /** The occurrence is over, and its outcome is written. */
  | {
      readonly kind: 'ended';
      readonly occurrence: number;
      readonly scheduledAtMs: number;
      readonly outcome: OccurrenceOutcome;
      readonly error?: unknown;
    }
  /** An attempt has failed, and another one follows. */
  | {
      readonly kind: 'retrying';
      readonly occurrence: number;
      readonly attempt: number;
      readonly retryAtMs: number;
      readonly error: unknown;
    }
  /** Scheduled times from the first to the last of these were skipped. `count` is a least number if it is not exact. */
  | {
      readonly kind: 'skipped';
      readonly reason: SkipReason;
      readonly fromMs: number;
      readonly toMs: number;
      readonly count: number;
      readonly isExact: boolean;
    }
  /** An occurrence was found that ran when its leader ended. `'ask'`: the job waits for an answer. */
  | {
      readonly kind: 'interrupted';
      readonly occurrence: number;
      readonly scheduledAtMs: number;
      readonly memberId: string;
      /** What follows. */
      readonly policy: 'rerun' | 'skip' | 'ask';
    }
  /** The trigger is another one than that of the last leader: times count from now on. */
  | { readonly kind: 'retriggered'; readonly from: string; readonly to: string }
  /** The schedule begins anew, as somebody has asked. */
  | { readonly kind: 'restarted' }
  /**
   * Times up to `decidedToMs` are decided already, and that is ahead of this member's clock by more than `misfireGraceMs`: this clock is behind, or that of an earlier leader was ahead. Nothing comes before that time. Once for each such time and leadership.
   */
  | { readonly kind: 'ahead'; readonly decidedToMs: number; readonly nowMs: number }
  /** The job is over, for the whole group. */
  | { readonly kind: 'finished'; readonly reason: JobEndReason }
  /** A call of the store failed; it is repeated. */
  | { readonly kind: 'store-fault'; readonly operation: 'readJobs' | 'writeJob'; readonly error: Error }
  /** The record cannot be read: the job does nothing here. Once for each version of it. */
  | { readonly kind: 'unreadable'; readonly error: Error }
);

/** An event without what is the same in all of a job's. */
export type JobNote = JobEvent extends infer E ? (E extends JobEvent ? Omit<E, 'groupId' | 'jobId' | 'term'> : never) : never;
