/**
 * What people see of jobs, and do about them, without leading: from any member, or from a shell.
 *
 * @module
 */
import {
  assertDuration,
  assertName,
  StoreError,
  systemClock,
  WbError,
  WbOptionError,
  type CallOptions,
  type Clock,
  type JobEntry,
  type JobWrite,
  type JobWriteResult,
  type LeaseStore,
  type OccurrenceStore,
} from '@wb/core';
import { randomUUID } from 'node:crypto';
import { formatRecord, parseRecord, type JobRecord } from './job-record.js';
import { boundedCall, pause } from './waiting.js';

/** A job as its record has it. Instants are in ms since 1970, by the wall clocks of those who led. */
export interface JobStatus extends Omit<JobRecord, 'format' | 'cursorAtMs' | 'anchorAtMs' | 'requestId'> {
  readonly groupId: string;
  readonly jobId: string;
  /** The term of the last leader that has written. */
  readonly term: number;
}

/** What became of what somebody wanted of a job. */
export type JobControlResult =
  | { readonly kind: 'done'; readonly status: JobStatus }
  /** It was so already. */
  | { readonly kind: 'unchanged'; readonly status: JobStatus }
  /** The job is over, for good. */
  | { readonly kind: 'over'; readonly status: JobStatus }
  /** No leader has seen such a job. */
  | { readonly kind: 'unknown-job' };

/** Limits of a call. */
export interface JobCallOptions extends CallOptions {
  /** How long one store call may take, in ms (T5). Default: 5,000. Range: 1 and more. */
  readonly callDeadlineMs?: number;
  /** Local time. Default: the clocks of this machine. */
  readonly clock?: Clock;
}

/** Options of {@link readJobStatuses}. */
export interface ReadJobsOptions extends JobCallOptions {
  /** Called for each job whose record cannot be read, e.g. as a newer version has written it; the others are returned. Default: the first one is thrown. */
  readonly onUnreadable?: (jobId: string, error: WbError) => void;
}

/** How often a write is tried that others come before. */
const MAX_TRIES = 20;
/** How often one write is sent that has no definite answer. */
const MAX_SENDS = 4;
const FIRST_PAUSE_MS = 50;

/**
 * All jobs of a group that a leader has ever seen, by name. One store call.
 * @throws `WbOptionError` `INVALID_NAME`; `WbError` `NOT_SUPPORTED`, `JOB_RECORD_UNREADABLE`; `StoreError`.
 */
export async function readJobStatuses(store: LeaseStore, groupId: string, options: ReadJobsOptions = {}): Promise<readonly JobStatus[]> {
  const statuses: JobStatus[] = [];
  for (const entry of await read(store, groupId, options)) {
    try {
      statuses.push(statusOf(entry));
    } catch (error) {
      if (options.onUnreadable === undefined || !(error instanceof WbError)) throw error;
      options.onUnreadable(entry.jobId, error);
    }
  }
  return statuses;
}

/** One job; `null` while no leader has seen it. One store call. @throws as {@link readJobStatuses}. */
export async function readJobStatus(
  store: LeaseStore,
  groupId: string,
  jobId: string,
  options?: JobCallOptions,
): Promise<JobStatus | null> {
  assertName('job', jobId);
  const entry = (await read(store, groupId, options)).find((each) => each.jobId === jobId);
  return entry === undefined ? null : statusOf(entry);
}

/** Nothing begins until {@link resumeJob}; what runs is run to its end. @throws as {@link readJobStatuses}. */
export async function pauseJob(store: LeaseStore, groupId: string, jobId: string, options?: JobCallOptions): Promise<JobControlResult> {
  return await control(store, groupId, jobId, options, (record) => (record.isPaused ? null : { ...record, isPaused: true }));
}

/** Goes on: times that a leader has seen come while it was paused are not made up for. @throws as {@link readJobStatuses}. */
export async function resumeJob(store: LeaseStore, groupId: string, jobId: string, options?: JobCallOptions): Promise<JobControlResult> {
  return await control(store, groupId, jobId, options, (record) => (record.isPaused ? { ...record, isPaused: false } : null));
}

/**
 * Has the leader run the job once, as soon as it does not run: also while it is paused; `maxCount` does not count it.
 * @param nowMs When it was asked for: the run's `scheduledAt`.
 * @throws as {@link readJobStatuses}.
 */
export async function requestRun(
  store: LeaseStore,
  groupId: string,
  jobId: string,
  nowMs: number,
  options?: JobCallOptions,
): Promise<JobControlResult> {
  const requestId = randomUUID();
  return await control(store, groupId, jobId, options, (record) => {
    // Of unknown outcome before, and carried out since (O3).
    if (record.requestId === requestId) return 'done';
    return record.requestedAtMs === null ? { ...record, requestedAtMs: nowMs, requestId } : null;
  });
}

/** Decides about an interrupted occurrence, for `onInterrupted: 'ask'`. `unchanged` if none waits for an answer. @throws as {@link readJobStatuses}. */
export async function answerInterrupted(
  store: LeaseStore,
  groupId: string,
  jobId: string,
  answer: 'rerun' | 'skip',
  options?: JobCallOptions,
): Promise<JobControlResult> {
  if (answer !== 'rerun' && answer !== 'skip') {
    throw new WbOptionError('INVALID_OPTION', 'answer', `\`answer\` (${JSON.stringify(answer)}) must be 'rerun' or 'skip'`);
  }
  return await control(store, groupId, jobId, options, (record) =>
    record.running === null || record.running.interruptedAtMs === null || record.answer === answer ? null : { ...record, answer },
  );
}

/**
 * Has the schedule begin anew, from now on by the leader's clock, as if no leader had seen the job before; the numbers of its occurrences go on. So a job that is over runs again, on members that schedule it from then on; and one whose times a
 * clock that was ahead has used up goes on: what that has run early is run again at its time.
 * @throws as {@link readJobStatuses}.
 */
export async function restartJob(store: LeaseStore, groupId: string, jobId: string, options?: JobCallOptions): Promise<JobControlResult> {
  return await control(store, groupId, jobId, options, (record) => (record.isRestarting ? null : { ...record, isRestarting: true }), true);
}

/** @param change Returns `null` when there is nothing to write, `'done'` when it was done before. */
async function control(
  store: LeaseStore,
  groupId: string,
  jobId: string,
  options: JobCallOptions | undefined,
  change: (record: JobRecord) => JobRecord | 'done' | null,
  isForOver = false,
): Promise<JobControlResult> {
  assertName('job', jobId);
  let entry = (await read(store, groupId, options)).find((each) => each.jobId === jobId) ?? null;
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    if (entry === null) return { kind: 'unknown-job' };
    const record = parseRecord(groupId, jobId, entry.record);
    const next = change(record);
    if (next === 'done') return { kind: 'done', status: statusOf(entry) };
    if (record.endReason !== null && !isForOver) return { kind: 'over', status: statusOf(entry) };
    if (next === null) return { kind: 'unchanged', status: statusOf(entry) };
    const text = formatRecord(next);
    const write = { groupId, jobId, expectedVersion: entry.version, writeId: randomUUID(), record: text, lease: null };
    const result = await send(occurrencesOf(store), write, options);
    if (result.kind === 'written') return { kind: 'done', status: statusOf({ ...entry, record: text }) };
    entry = result.kind === 'stale' ? result.current : null;
  }
  throw new StoreError(
    'STORE_BUSY',
    `job ${JSON.stringify(jobId)} was written by others ${MAX_TRIES} times in a row: nothing was changed`,
    {
      isRetryable: true,
      outcome: 'none',
    },
  );
}

/** Sends a write until its answer is definite (O3). @throws the last fault, after a few times. */
async function send(store: OccurrenceStore, write: JobWrite, options: JobCallOptions = {}): Promise<JobWriteResult> {
  const { callDeadlineMs, clock, signal } = limitsOf(options);
  for (let count = 1; ; count += 1) {
    try {
      return await boundedCall(clock, 'writeJob', callDeadlineMs, (each) => store.writeJob(write, { signal: each }), signal);
    } catch (error) {
      if (count === MAX_SENDS || signal?.aborted === true || !(error instanceof StoreError && error.isRetryable)) throw error;
    }
    await pause(clock, FIRST_PAUSE_MS * 2 ** (count - 1));
  }
}

async function read(store: LeaseStore, groupId: string, options: JobCallOptions = {}): Promise<readonly JobEntry[]> {
  assertName('groupId', groupId);
  const occurrences = occurrencesOf(store);
  const { callDeadlineMs, clock, signal } = limitsOf(options);
  return await boundedCall(clock, 'readJobs', callDeadlineMs, (each) => occurrences.readJobs(groupId, { signal: each }), signal);
}

function limitsOf({ callDeadlineMs = 5_000, clock = systemClock, signal }: JobCallOptions): {
  readonly callDeadlineMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
} {
  assertDuration('callDeadlineMs', callDeadlineMs, 1);
  return { callDeadlineMs, clock, signal };
}

function statusOf({ groupId, jobId, term, record }: JobEntry): JobStatus {
  const { format: _format, cursorAtMs: _cursor, anchorAtMs: _anchor, requestId: _request, ...rest } = parseRecord(groupId, jobId, record);
  return { groupId, jobId, term, ...rest };
}

/** @throws `WbError` `NOT_SUPPORTED` */
export function occurrencesOf(store: LeaseStore): OccurrenceStore {
  if (!store.capabilities.occurrences) {
    throw new WbError(
      'NOT_SUPPORTED',
      `the store (${store.capabilities.name}) keeps no records of jobs: \`capabilities.occurrences\` is false`,
    );
  }
  return store as LeaseStore & OccurrenceStore;
}
