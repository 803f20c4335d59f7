import { ignoreOverlap } from './due-times.js';
import type { JobNote } from './job-events.js';
import type { JobPolicy } from './job-options.js';
import {
  errorText,
  MAX_HISTORY,
  type FinishedOccurrence,
  type JobRecord,
  type OccurrenceOutcome,
  type RunningOccurrence,
} from './job-record.js';

/** How an attempt ended. */
export type AttemptEnd =
  | { readonly kind: 'succeeded' }
  | { readonly kind: 'failed' | 'timed-out'; readonly error: unknown }
  /** It does not settle. */
  | { readonly kind: 'hung'; readonly error: unknown };

/** What follows an attempt. */
export interface Settlement {
  readonly record: JobRecord;
  readonly notes: readonly JobNote[];
  /** What `LOG_AND_…` writes. */
  readonly logs: readonly string[];
}

/** Takes in the end of an attempt. `null`: the record is not about that attempt any more. */
export function settle(
  record: JobRecord | null,
  attempt: RunningOccurrence,
  end: AttemptEnd,
  policy: JobPolicy,
  nowMs: number,
): Settlement | null {
  const running = record?.running ?? null;
  if (record === null || running === null || !isSameAttempt(running, attempt)) return null;
  const { occurrence, scheduledAtMs } = running;
  const { retry, onError } = policy;
  const error = end.kind === 'succeeded' ? null : errorText(end.error);
  if (end.kind !== 'succeeded' && end.kind !== 'hung' && running.attempt < retry.maxAttempts) {
    const retryAtMs = nowMs + retryDelayMs(retry, running.attempt);
    return {
      record: { ...record, running: { ...running, retryAtMs } },
      notes: [{ kind: 'retrying', occurrence, attempt: running.attempt, retryAtMs, error: end.error }],
      logs: [],
    };
  }
  const ended = over(record, running, end.kind, nowMs, error);
  const notes: JobNote[] = [
    { kind: 'ended', occurrence, scheduledAtMs, outcome: end.kind, ...(end.kind !== 'succeeded' && { error: end.error }) },
  ];
  const logs: string[] = [];
  if (end.kind !== 'succeeded') {
    const isLast = onError.endsWith('TERMINATE');
    if (onError.startsWith('LOG')) logs.push(`occurrence ${occurrence} ${end.kind}: ${error}${isLast ? '; the job is over' : ''}`);
    if (isLast) {
      return { record: { ...ended, endReason: 'error', nextAtMs: null }, notes: [...notes, { kind: 'finished', reason: 'error' }], logs };
    }
  }
  const ignored = ignoreOverlap(ended, policy, nowMs);
  if (ignored === null) return { record: ended, notes, logs };
  return { record: ignored.record, notes: [...notes, ...ignored.notes], logs: [...logs, ...ignored.logs] };
}

/** Whether the record is about that very attempt of that very leader. */
export function isSameAttempt(a: RunningOccurrence, b: RunningOccurrence): boolean {
  return (
    a.occurrence === b.occurrence &&
    a.attempt === b.attempt &&
    a.rerunCount === b.rerunCount &&
    a.term === b.term &&
    a.retryAtMs === null &&
    a.interruptedAtMs === null
  );
}

/** How long after the end of an attempt the next one begins. */
export function retryDelayMs({ intervalMs, backoff, maxIntervalMs }: JobPolicy['retry'], attempt: number): number {
  // Above 2^52 it has long been the longest.
  return Math.min(
    maxIntervalMs,
    backoff === 'FIXED' ? intervalMs : Math.min(intervalMs * 2 ** Math.min(attempt - 1, 52), Number.MAX_SAFE_INTEGER / 2),
  );
}

/** What ran is over. */
export function over(
  record: JobRecord,
  running: RunningOccurrence,
  outcome: OccurrenceOutcome,
  nowMs: number,
  error: string | null,
): JobRecord {
  const { occurrence, scheduledAtMs, cause, startedAtMs, busySinceMs, attempt, term, memberId } = running;
  const ended: FinishedOccurrence = {
    occurrence,
    scheduledAtMs,
    cause,
    startedAtMs,
    busySinceMs,
    attempt,
    term,
    memberId,
    endedAtMs: nowMs,
    outcome,
    error,
  };
  return {
    ...record,
    running: null,
    failedCount: record.failedCount + (outcome === 'succeeded' ? 0 : 1),
    history: [ended, ...record.history].slice(0, MAX_HISTORY),
  };
}
