/**
 * The statements about the records of jobs (O1–O6). They run under the write lock of the database, which no claim passes: so the lease that was seen to stand stands until the commit, and
 * the version that a write is guarded by is the last one.
 *
 * @module
 */
import { statement, type SqlStatement, type WbTables } from '@wb/sql';
import { sql, type Kysely } from 'kysely';

/** A job by its name. */
export type JobArguments = { readonly groupId: string; readonly jobId: string };

/** A write of a record. Without a lease the term stays as it was. */
export type JobWriteArguments = JobArguments & {
  readonly expectedVersion: number;
  readonly writeId: string;
  readonly record: string;
  readonly term: number | null;
};

/** A record as it is. */
export interface JobRow {
  readonly groupId: string;
  readonly jobId: string;
  readonly version: number;
  readonly writeId: string;
  readonly term: number;
  readonly record: string;
}

export interface JobSql {
  readonly jobs: SqlStatement<{ groupId: string }, JobRow>;
  readonly job: SqlStatement<JobArguments, JobRow>;
  /** The first record of a job; if it has one already, nothing. */
  readonly insertJob: SqlStatement<JobWriteArguments, unknown>;
  /** Replaces the record if its version is the one that is expected: the guard is in the write. */
  readonly updateJob: SqlStatement<JobWriteArguments, unknown>;
}

/** Compiles {@link JobSql}, once for a store. */
export function compileJobSql(db: Kysely<WbTables>): JobSql {
  const columns = ['group_id as groupId', 'job_id as jobId', 'version', 'write_id as writeId', 'term', 'record'] as const;
  return Object.freeze<JobSql>({
    jobs: statement((p) => db.selectFrom('job').where('group_id', '=', p.groupId).select(columns).orderBy('job_id')),

    job: statement((p) => db.selectFrom('job').where('group_id', '=', p.groupId).where('job_id', '=', p.jobId).select(columns)),

    insertJob: statement((p) =>
      db
        .insertInto('job')
        .values({
          group_id: p.groupId,
          job_id: p.jobId,
          version: sql<number>`${p.expectedVersion} + 1`,
          write_id: p.writeId,
          term: sql<number>`coalesce(${p.term}, 0)`,
          record: p.record,
        })
        .onConflict((conflict) => conflict.doNothing()),
    ),

    updateJob: statement((p) =>
      db
        .updateTable('job')
        .set({
          version: sql<number>`version + 1`,
          write_id: p.writeId,
          term: sql<number>`coalesce(${p.term}, term)`,
          record: p.record,
        })
        .where('group_id', '=', p.groupId)
        .where('job_id', '=', p.jobId)
        .where('version', '=', p.expectedVersion),
    ),
  });
}
