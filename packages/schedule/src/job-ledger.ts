import { StoreError, type Clock, type JobEntry, type JobWriteResult, type Lease, type LeaseStore } from '@wb/core';
import { randomUUID } from 'node:crypto';
import { formatRecord, parseRecord, type JobRecord } from './job-record.js';
import { boundedCall, pause } from './waiting.js';

/** The first and the longest pause before a call is repeated, in ms. */
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;

/** What a {@link JobLedger} needs. */
export interface LedgerParts {
  readonly store: LeaseStore;
  readonly groupId: string;
  readonly jobId: string;
  readonly lease: Lease;
  readonly clock: Clock;
  /** How long one call may take, in ms (T5). */
  readonly callDeadlineMs: number;
  /** Aborts when leadership ends. */
  readonly signal: AbortSignal;
  /** How long after that something may still be written down, in ms: the store decides whether it may. */
  readonly lastWordsMs: number;
  readonly onFault: (operation: 'readJobs' | 'writeJob', error: Error) => void;
}

/** What became of an update. */
export type UpdateResult =
  | 'written'
  /** There was nothing to write. */
  | 'unchanged'
  /** The lease does not stand, or it could not be found out in time: nothing more is written under it. What was sent may have been written: the next leader finds it. */
  | 'lease-over';

/** The record of one job, for its leader: the last one that is known, and the only way to write another. Updates come one after the other. */
export class JobLedger {
  readonly #parts: LedgerParts;
  #entry: JobEntry | null = null;
  #last: Promise<unknown> = Promise.resolve();
  #endsAtMs: number | null = null;
  #isOver = false;

  constructor(parts: LedgerParts) {
    this.#parts = parts;
  }

  /** The last version that is known; 0: there is no record. */
  get version(): number {
    return this.#entry?.version ?? 0;
  }

  /** Takes in what was read. @returns whether it is newer than what was known. */
  adopt(entry: JobEntry): boolean {
    if (this.version >= entry.version) return false;
    this.#entry = entry;
    return true;
  }

  /**
   * Replaces the record by what `change` makes of it, in one conditional write under the lease (O1, O2). When somebody else has written meanwhile, `change` is asked again. A call of unknown outcome is repeated as it was (O3), until its
   * answer is definite or the lease is over.
   *
   * @param change Returns `null` when there is nothing to write.
   * @throws what `change` throws; `WbError` `JOB_RECORD_UNREADABLE`.
   */
  async update(change: (record: JobRecord | null) => JobRecord | null): Promise<UpdateResult> {
    const mine = this.#last.then(() => this.#update(change));
    this.#last = mine.catch(() => undefined);
    return await mine;
  }

  async #update(change: (record: JobRecord | null) => JobRecord | null): Promise<UpdateResult> {
    const { groupId, jobId, lease } = this.#parts;
    for (;;) {
      if (this.#isOver) return 'lease-over';
      const before = this.#entry;
      const next = change(before === null ? null : parseRecord(groupId, jobId, before.record));
      if (next === null) return 'unchanged';
      const expectedVersion = before?.version ?? 0;
      const writeId = randomUUID();
      const record = formatRecord(next);
      const { term, sessionId } = lease;
      const result = await this.#send({ groupId, jobId, expectedVersion, writeId, record, lease: { term, sessionId } });
      if (result === null || result.kind === 'fenced') {
        this.#isOver = true;
        return 'lease-over';
      }
      if (result.kind === 'written') {
        this.#entry = { groupId, jobId, version: result.version, writeId, term, record };
        return 'written';
      }
      this.#entry = result.current;
    }
  }

  /** Until the answer is definite; `null` when the lease is over before. */
  async #send(write: Parameters<NonNullable<LeaseStore['writeJob']>>[0]): Promise<JobWriteResult | null> {
    const { store, clock, callDeadlineMs, onFault } = this.#parts;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        return await boundedCall(clock, 'writeJob', callDeadlineMs, (signal) => store.writeJob!(write, { signal }));
      } catch (error) {
        onFault('writeJob', error instanceof Error ? error : new StoreError('STORE_FAULT', String(error)));
      }
      if (!this.#mayGoOn()) return null;
      await pause(clock, pauseMs);
      if (!this.#mayGoOn()) return null;
    }
  }

  #mayGoOn(): boolean {
    const { clock, lease, signal, lastWordsMs } = this.#parts;
    if (lease.isHeld() && !signal.aborted) return true;
    const { monotonicMs } = clock.now();
    this.#endsAtMs ??= monotonicMs + lastWordsMs;
    return monotonicMs < this.#endsAtMs;
  }
}
