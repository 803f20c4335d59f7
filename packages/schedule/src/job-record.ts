/**
 * What the store keeps of a job, as JSON: everything that the next leader needs to go on exactly where this one was. The store does not look into it.
 *
 * @module
 */
import { WbError } from '@wb/core';

/** Why an occurrence runs: at its time; later, because it was missed; because it waited for the one before it; because somebody asked for it. */
export type OccurrenceCause = 'schedule' | 'misfire' | 'overlap' | 'manual';

/** What became of an occurrence. */
export type OccurrenceOutcome =
  /** It returned. */
  | 'succeeded'
  /** Its last attempt threw. */
  | 'failed'
  /** Its last attempt took longer than `timeoutMs`, and was aborted. */
  | 'timed-out'
  /** It did not settle after that, and its leader has yielded. */
  | 'hung'
  /** Its leader ended while it ran, and it was not run again. */
  | 'interrupted';

/** The parts of an occurrence that never change. */
interface Occurrence {
  /** Counts the runs of the job in the whole group, from 1; no number is given twice. */
  readonly occurrence: number;
  /** The scheduled time, in ms since 1970; of a `manual` one, when it was asked for. */
  readonly scheduledAtMs: number;
  readonly cause: OccurrenceCause;
  /** When it first began, by the wall clock of whoever led then. */
  readonly startedAtMs: number;
  /** Since when it has kept the job busy without a break, by the wall clock of whoever leads: not since `startedAtMs` if it was interrupted, or goes on under another leader. Times that come from then on overlap with it. */
  readonly busySinceMs: number;
}

/** An occurrence that was claimed, and has no outcome yet. */
export interface RunningOccurrence extends Occurrence {
  /** From 1. */
  readonly attempt: number;
  /** How often it was begun anew because it had been interrupted. */
  readonly rerunCount: number;
  /** The term and the member of the last write about it. */
  readonly term: number;
  readonly memberId: string;
  /** When the next attempt is due; `null`: an attempt is under way, or was when its leader ended. */
  readonly retryAtMs: number | null;
  /** Since when it is known to have been interrupted, and waits for somebody's answer; `null`: it is not. */
  readonly interruptedAtMs: number | null;
  /** The last that `checkpoint` was given; `null`: nothing. */
  readonly checkpoint: unknown;
}

/** An occurrence that is over. */
export interface FinishedOccurrence extends Occurrence {
  readonly attempt: number;
  readonly endedAtMs: number;
  readonly outcome: OccurrenceOutcome;
  readonly term: number;
  readonly memberId: string;
  /** The message of the last error, shortened. */
  readonly error: string | null;
}

/** Why a job is over. */
export type JobEndReason = 'max-count' | 'no-more-times' | 'error';

/** The record of a job. */
export interface JobRecord {
  readonly format: 1;
  /** Why the job is over, for good; `null`: it is not. */
  readonly endReason: JobEndReason | null;
  readonly isPaused: boolean;
  /** Whether somebody has asked for the schedule to begin anew: the next leader that looks does it. */
  readonly isRestarting: boolean;
  /** The trigger of the last leader, for people. */
  readonly trigger: string;
  /** Where intervals are counted from. */
  readonly anchorAtMs: number;
  /** Every scheduled time up to this one is decided: run, running, or skipped. It goes back by a restart alone. */
  readonly cursorAtMs: number;
  /** The next scheduled time, for people. */
  readonly nextAtMs: number | null;
  /** How many scheduled occurrences were claimed: what `maxCount` counts. */
  readonly count: number;
  /** The same with those that somebody asked for. */
  readonly runCount: number;
  readonly failedCount: number;
  /** How many scheduled times were skipped, knowingly. */
  readonly skippedCount: number;
  /** When somebody asked for a run; `null`: nobody does. */
  readonly requestedAtMs: number | null;
  /** Which request was the last one, so that one of unknown outcome is not made twice (O3); `null`: there was none. */
  readonly requestId: string | null;
  /** What somebody has decided about an interrupted occurrence. */
  readonly answer: 'rerun' | 'skip' | null;
  readonly running: RunningOccurrence | null;
  /** The last ones, the latest first. */
  readonly history: readonly FinishedOccurrence[];
}

/** How many finished occurrences a record keeps. */
export const MAX_HISTORY = 8;

/** The longest error message that a record keeps, in characters. */
const MAX_ERROR_LENGTH = 200;

/** The longest checkpoint, in bytes as JSON. */
export const MAX_CHECKPOINT_BYTES = 8_192;

/** @throws `WbError` `JOB_RECORD_UNREADABLE` for what a newer version, or somebody else, has written. */
export function parseRecord(groupId: string, jobId: string, text: string): JobRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw unreadable(groupId, jobId, 'it is no JSON', error);
  }
  const format: unknown = Reflect.get(Object(value), 'format');
  if (format !== 1) throw unreadable(groupId, jobId, `its format is ${JSON.stringify(format)}, and this version knows 1`);
  return value as JobRecord;
}

export function formatRecord(record: JobRecord): string {
  return JSON.stringify(record);
}

/** The message of whatever was thrown, fit for a record. */
export function errorText(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  // What would take six bytes each as JSON: the record has a limit.
  return text.slice(0, MAX_ERROR_LENGTH).replaceAll(/[\p{Cc}\p{Cs}]/gu, ' ');
}

function unreadable(groupId: string, jobId: string, why: string, cause?: unknown): WbError {
  const message = `the record of job ${JSON.stringify(jobId)} of group ${JSON.stringify(groupId)} cannot be read: ${why}; nothing was changed`;
  return new WbError('JOB_RECORD_UNREADABLE', message, cause === undefined ? {} : { cause });
}
