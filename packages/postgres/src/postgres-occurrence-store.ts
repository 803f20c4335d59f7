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
import type { PostgresClient } from './postgres-client.js';
import type { JobRow, JobSql } from './postgres-job-sql.js';

/** What {@link PostgresOccurrenceStore} needs of the store. */
export interface PostgresOccurrenceParts {
  readonly client: PostgresClient;
  readonly sql: JobSql;
  /** Whether the session was opened on another history of the server than this one (T6): then no lease of it stands. */
  readonly isLostOn: (sessionId: string, identity: string | null) => boolean;
}

/** The records of jobs in a PostgreSQL database. */
export class PostgresOccurrenceStore implements OccurrenceStore {
  readonly #parts: PostgresOccurrenceParts;

  constructor(parts: PostgresOccurrenceParts) {
    this.#parts = parts;
  }

  async readJobs(groupId: string, options?: CallOptions): Promise<readonly JobEntry[]> {
    assertName('groupId', groupId);
    const { client, sql } = this.#parts;
    return (await client.run({ operation: 'readJobs', options }, sql.jobs, { groupId })).map(entryOf);
  }

  async writeJob(write: JobWrite, options?: CallOptions): Promise<JobWriteResult> {
    assertJobWrite(write);
    const { client, sql, isLostOn } = this.#parts;
    const { groupId, jobId, expectedVersion, writeId, record, lease } = write;
    return await client.use({ operation: 'writeJob', options }, async (connection): Promise<JobWriteResult> => {
      if (lease !== null && isLostOn(lease.sessionId, connection.identity)) return { kind: 'fenced' };
      const { term = null, sessionId = null } = lease ?? {};
      const args = { groupId, jobId, expectedVersion, writeId, record, term, sessionId };
      const [row] = await connection.execute('writeJob', sql.writeJob, args);
      if (row!.written) return { kind: 'written', version: expectedVersion + 1 };
      const seen = row!.version === null ? null : entryOf(row as JobRow);
      if ((seen?.version ?? 0) !== expectedVersion) return jobWriteResult(write, seen, row!.stands);
      // Another write has passed this one, perhaps an earlier attempt of it, before its lease ended (O3): what it has left is not in the snapshot.
      const [newest] = await connection.execute('writeJob', sql.job, { groupId, jobId });
      return jobWriteResult(write, newest === undefined ? null : entryOf(newest), row!.stands);
    });
  }
}

function entryOf({ version, term, ...row }: JobRow): JobEntry {
  const { groupId, jobId, writeId, record } = row;
  return { groupId, jobId, version: Number(version), writeId, term: Number(term), record };
}
