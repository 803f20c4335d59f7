import { WbOptionError } from './errors.js';
import { assertFenceLease } from './fence.js';
import { assertName } from './names.js';
import { MAX_JOB_RECORD_BYTES, type JobEntry, type JobWrite, type JobWriteResult } from './occurrence-store.js';

/** NUL, which PostgreSQL cannot keep, and surrogates without their other half, which are not text in UTF-8. */
const NOT_TEXT = /\0|\p{Cs}/u;

/**
 * Checks a write of a job's record, before the database is touched (O5).
 * @throws {@link WbOptionError} `INVALID_NAME`, `INVALID_OPTION`
 */
export function assertJobWrite({ groupId, jobId, expectedVersion, writeId, record, lease }: JobWrite): void {
  assertName('groupId', groupId);
  assertName('jobId', jobId);
  assertName('writeId', writeId);
  if (!Number.isSafeInteger(expectedVersion) || expectedVersion < 0) {
    throw new WbOptionError(
      'INVALID_OPTION',
      'expectedVersion',
      `\`expectedVersion\` (${String(expectedVersion)}) must be a whole number from 0`,
    );
  }
  if (lease !== null) assertFenceLease({ ...lease, groupId });
  assertJobRecord('record', record);
}

/**
 * Checks the text of a record: at most {@link MAX_JOB_RECORD_BYTES}, without NUL and unpaired surrogates.
 * @throws {@link WbOptionError} `INVALID_OPTION`
 */
function assertJobRecord(field: string, record: unknown): asserts record is string {
  if (typeof record !== 'string') throw new WbOptionError('INVALID_OPTION', field, `\`${field}\` (${typeof record}) must be a string`);
  if (NOT_TEXT.test(record)) {
    throw new WbOptionError('INVALID_OPTION', field, `\`${field}\` must have no NUL and no unpaired surrogates`);
  }
  const size = new TextEncoder().encode(record).length;
  if (size > MAX_JOB_RECORD_BYTES) {
    throw new WbOptionError('INVALID_OPTION', field, `\`${field}\` takes ${size} bytes; it may take ${MAX_JOB_RECORD_BYTES}`);
  }
}

/**
 * What became of a write, from how things stand after it: for stores that write under a condition, and then look.
 * @param current The record after the write, in the same transaction.
 * @param stands Whether the lease stood; `true` for a write without one.
 */
export function jobWriteResult(write: JobWrite, current: JobEntry | null, stands: boolean): JobWriteResult {
  const { expectedVersion, writeId } = write;
  // First of all, also for one whose lease is over by now: what an earlier attempt has done is done (O3).
  if (current?.version === expectedVersion + 1 && current.writeId === writeId) return { kind: 'written', version: current.version };
  return stands ? { kind: 'stale', current } : { kind: 'fenced' };
}
