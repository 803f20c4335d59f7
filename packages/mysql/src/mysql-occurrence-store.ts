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
import type { Call, MysqlClient } from './mysql-client.js';
import type { JobSql } from './mysql-job-sql.js';

/** What {@link MysqlOccurrenceStore} needs of the store. */
export interface MysqlOccurrenceParts {
  readonly client: MysqlClient;
  readonly sql: JobSql;
  /** The servers that the session is known to be good for; `null`: not known. */
  readonly serversOf: (sessionId: string) => readonly string[] | null;
  /** Whether the session is lost because another server answers (T6). */
  readonly isLostOn: (sessionId: string, call: Call, server: string) => Promise<boolean>;
}

/** The records of jobs in a MySQL or MariaDB database. */
export class MysqlOccurrenceStore implements OccurrenceStore {
  readonly #parts: MysqlOccurrenceParts;

  constructor(parts: MysqlOccurrenceParts) {
    this.#parts = parts;
  }

  async readJobs(groupId: string, options?: CallOptions): Promise<readonly JobEntry[]> {
    assertName('groupId', groupId);
    const { client, sql } = this.#parts;
    const [rows] = await client.run({ operation: 'readJobs', options }, 'read', [sql.jobs({ groupId })]);
    return rows;
  }

  async writeJob(write: JobWrite, options?: CallOptions): Promise<JobWriteResult> {
    assertJobWrite(write);
    const { groupId, jobId, expectedVersion, writeId, record, lease } = write;
    const { client, sql, serversOf, isLostOn } = this.#parts;
    const call: Call = { operation: 'writeJob', options };
    const args = { groupId, jobId, expectedVersion, writeId, record, term: lease?.term ?? null };
    const attempt = async (servers: readonly string[] | null): Promise<{ readonly server: string; readonly result: JobWriteResult }> => {
      const steps = [
        lease === null
          ? sql.standsAnyway({})
          : sql.standsUnderLock({
              groupId,
              term: lease.term,
              sessionId: lease.sessionId,
              servers: servers === null ? null : JSON.stringify(servers),
            }),
        expectedVersion === 0 ? sql.insertJob(args) : sql.updateJob(args),
        sql.stands({}),
        // After the write, which has waited for those before it: at `read committed` this sees what they have left.
        sql.job({ groupId, jobId }),
      ] as const;
      const [, , stands, rows] =
        lease !== null && (await client.askForOtherWriters(call))
          ? withoutFirst(await client.run(call, 'write', [sql.touchLease({ groupId, ...lease }), ...steps]))
          : await client.run(call, 'write', steps);
      const [{ stands: standing, server }] = stands as [(typeof stands)[0]];
      return { server, result: jobWriteResult(write, rows[0] ?? null, standing === 1) };
    };
    const servers = lease === null ? null : serversOf(lease.sessionId);
    const { server, result } = await attempt(servers);
    if (lease === null || result.kind !== 'fenced' || servers === null || servers.includes(server)) return result;
    // A server that was not met before: another one of the same cluster, or one that may have lost commits.
    return (await isLostOn(lease.sessionId, call, server)) ? result : (await attempt(serversOf(lease.sessionId))).result;
  }
}

function withoutFirst<Rest extends readonly unknown[]>([, ...rest]: readonly [unknown, ...Rest]): Rest {
  return rest;
}
