/**
 * The statements about the records of jobs (O1–O6). One statement is one transaction and one round trip.
 *
 * A write locks the row of its lease with `for share`, as a fence does: that conflicts with every claim, release and close, and with no heartbeat. So no later term is granted until the
 * write has committed, and a claim that was quicker is seen: at `read committed` the locked row is looked at again. The update of the record looks again at the newest version of its row, too: of two that
 * expect the same version the second finds another one, and changes nothing.
 *
 * What is returned beside `written` is the snapshot of the statement's beginning: the record that a concurrent write has replaced meanwhile is not in it. Then one more look is needed.
 *
 * @module
 */
import type { SqlStatement, WbTables } from '@wb/sql';
import { sql, type Kysely } from 'kysely';
import { compiled } from './compiled.js';
import type { Whole } from './postgres-claim-sql.js';
import type { StoreTables } from './postgres-fragments.js';

/** A job by its name. */
type JobArguments = { readonly groupId: string; readonly jobId: string };

/** A write of a record; without a lease `term` and `sessionId` are `null`. */
export type JobWriteArguments = JobArguments & {
  readonly expectedVersion: number;
  readonly writeId: string;
  readonly record: string;
  readonly term: number | null;
  readonly sessionId: string | null;
};

/** A record as it is. */
export interface JobRow {
  readonly groupId: string;
  readonly jobId: string;
  readonly version: Whole;
  readonly writeId: string;
  readonly term: Whole;
  readonly record: string;
}

/** What a write has come to: always one row. The record is `null` if the snapshot had none. */
export type JobWriteRow = { readonly [Name in keyof JobRow]: JobRow[Name] | null } & {
  readonly written: boolean;
  readonly stands: boolean;
};

export interface JobSql {
  readonly jobs: SqlStatement<{ groupId: string }, JobRow>;
  readonly job: SqlStatement<JobArguments, JobRow>;
  /**
   * 1. `held` locks the lease, if there is one to be had: without that row nothing below happens.
   * 2. `born` inserts the first record; the primary key leaves it to one of any number. `changed` replaces a record of the expected version.
   */
  readonly writeJob: SqlStatement<JobWriteArguments, JobWriteRow>;
}

/** Compiles {@link JobSql}, once for a store. */
export function compileJobSql(db: Kysely<WbTables>, { job, lease }: StoreTables): JobSql {
  const columns = sql`j.group_id as "groupId", j.job_id as "jobId", j.version, j.write_id as "writeId", j.term, j.record`;
  return Object.freeze<JobSql>({
    jobs: compiled(db, (p) => sql`select ${columns} from ${job} j where j.group_id = ${p.groupId}::text order by j.job_id`),
    job: compiled(db, (p) => sql`select ${columns} from ${job} j where j.group_id = ${p.groupId}::text and j.job_id = ${p.jobId}::text`),
    writeJob: compiled(
      db,
      (p) => sql`
      with asked as materialized (
        select ${p.groupId}::text as group_id, ${p.jobId}::text as job_id, ${p.expectedVersion}::bigint as version, ${p.writeId}::text as write_id,
          ${p.record}::text as record, ${p.term}::bigint as term, ${p.sessionId}::text as session_id
      ), locked as materialized (
        select l.term from asked a join ${lease} l on l.group_id = a.group_id and l.term = a.term and l.session_id = a.session_id for share of l
      ), held as materialized (
        select a.* from asked a where a.term is null or exists (select from locked)
      ), born as (
        insert into ${job} (group_id, job_id, version, write_id, term, record)
        select h.group_id, h.job_id, 1, h.write_id, coalesce(h.term, 0), h.record from held h where h.version = 0
        on conflict do nothing returning 1
      ), changed as (
        update ${job} t set version = t.version + 1, write_id = h.write_id, term = coalesce(h.term, t.term), record = h.record
        from held h where t.group_id = h.group_id and t.job_id = h.job_id and t.version = h.version and h.version > 0 returning 1
      )
      select exists (select from born) or exists (select from changed) as written, exists (select from held) as stands, ${columns}
      from asked a left join ${job} j on j.group_id = a.group_id and j.job_id = a.job_id`,
    ),
  });
}
