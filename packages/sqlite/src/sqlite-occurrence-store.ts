import {
  assertJobWrite,
  assertName,
  jobWriteResult,
  type CallOptions,
  type JobEntry,
  type JobWrite,
  type JobWriteResult,
  type OccurrenceStore,
} from '@wb/core';
import type { SqliteClient } from './sqlite-client.js';

/** The records of jobs in an SQLite database: one short transaction a call. */
export class SqliteOccurrenceStore implements OccurrenceStore {
  readonly #client: SqliteClient;

  constructor(client: SqliteClient) {
    this.#client = client;
  }

  async readJobs(groupId: string, options?: CallOptions): Promise<readonly JobEntry[]> {
    assertName('groupId', groupId);
    return await this.#client.transact({ operation: 'readJobs', durability: 'read', options }, (statements) =>
      statements.jobs.all({ groupId }),
    );
  }

  async writeJob(write: JobWrite, options?: CallOptions): Promise<JobWriteResult> {
    assertJobWrite(write);
    const { groupId, jobId, expectedVersion, writeId, record, lease } = write;
    // Durable: an occurrence that was claimed must never be claimed again, not even after a power cut.
    return await this.#client.transact({ operation: 'writeJob', durability: 'durable', options }, (statements) => {
      const stands = lease === null || statements.stands.get({ groupId, term: lease.term, sessionId: lease.sessionId })?.stands === 1;
      if (stands) {
        const args = { groupId, jobId, expectedVersion, writeId, record, term: lease?.term ?? null };
        (expectedVersion === 0 ? statements.insertJob : statements.updateJob).run(args);
      }
      return jobWriteResult(write, statements.job.get({ groupId, jobId }) ?? null, stands);
    });
  }
}
