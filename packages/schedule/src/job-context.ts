import { LeaseNotHeldError, WbError, WbOptionError, type LeaseStore, type WorkContext } from '@wb/core';
import { dateOf } from './clock.js';
import type { JobLedger } from './job-ledger.js';
import { MAX_CHECKPOINT_BYTES, type RunningOccurrence } from './job-record.js';
import type { JobContext } from './job-types.js';
import { isSameAttempt } from './settle.js';

/** Of what a {@link JobContext} is made. */
export interface ContextParts {
  readonly store: LeaseStore;
  readonly jobId: string;
  readonly work: WorkContext;
  readonly ledger: JobLedger;
  readonly attempt: RunningOccurrence;
  /** Of this attempt. */
  readonly signal: AbortSignal;
}

/** What a run gets. */
export function contextOf({ store, jobId, work, ledger, attempt, signal }: ContextParts): JobContext {
  const { groupId, term, memberId, lease } = work;
  let lastCheckpoint = attempt.checkpoint;
  return {
    groupId,
    jobId,
    scheduledAt: dateOf(attempt.scheduledAtMs),
    occurrence: attempt.occurrence,
    cause: attempt.cause,
    attempt: attempt.attempt,
    isRerun: attempt.rerunCount > 0,
    term,
    memberId,
    signal,
    lease,
    fenced: async (transact, options) => {
      if (store.fenced === undefined) {
        throw new WbError('NOT_SUPPORTED', `the store (${store.capabilities.name}) has no \`fenced\`: \`capabilities.fencing\` is false`);
      }
      return await store.fenced(lease, transact, { signal, ...options });
    },
    checkpoint: async (value) => {
      const checkpoint = checkpointOf(value);
      const result = await ledger.update((record) =>
        record?.running != null && isSameAttempt(record.running, attempt)
          ? { ...record, running: { ...record.running, checkpoint } }
          : null,
      );
      if (result !== 'written') {
        throw new LeaseNotHeldError(
          groupId,
          term,
          `the checkpoint of job ${JSON.stringify(jobId)} was not written: this run of it is over`,
        );
      }
      lastCheckpoint = checkpoint;
    },
    get lastCheckpoint() {
      return lastCheckpoint;
    },
  };
}

function checkpointOf(value: unknown): unknown {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) {
    throw new WbOptionError('INVALID_OPTION', 'value', `the checkpoint (${typeof value}) must be JSON`);
  }
  const size = new TextEncoder().encode(text).length;
  if (size > MAX_CHECKPOINT_BYTES) {
    throw new WbOptionError('INVALID_OPTION', 'value', `the checkpoint takes ${size} bytes as JSON; it may take ${MAX_CHECKPOINT_BYTES}`);
  }
  return JSON.parse(text) as unknown;
}
