/**
 * The statements about the records of jobs (O1–O6). A write is one transaction, and where the connection takes scripts one packet: it runs to its end without the client.
 *
 * The row of the lease is locked in share mode, as a fence does it: claims and releases skip it then, and heartbeats do not touch it; what is read under the lock is the newest version. Whether the lease stands stays on
 * the server, in a variable. The version in the guard of the write decides between all who write.
 *
 * Where other servers take writes, too (Galera, Group Replication), no lock of another one is seen, and only what was written is certified. Two writes of one record do not both commit there; but a takeover writes the lease. So
 * the lease is written, too: changed and changed back, as by the [writing fence](mysql-fence-sql.ts). Of the record and a takeover one fails.
 *
 * @module
 */
import { asBytes } from './mysql-fragments.js';
import { SERVER } from './server-identity.js';
import type { StatementCompiler, StepFactory } from './mysql-statement.js';

/** A job by its name. */
type JobArguments = { readonly groupId: string; readonly jobId: string };

/** A write of a record; without a lease `term` is `null`. */
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
  readonly jobs: StepFactory<{ groupId: string }, JobRow>;
  readonly job: StepFactory<JobArguments, JobRow>;
  /**
   * Locks the lease, and keeps in `@wb_stands` whether it stands: on one of the servers that its session belongs to (T6), a JSON array; `null`: on any.
   */
  readonly standsUnderLock: StepFactory<{ groupId: string; term: number; sessionId: string; servers: string | null }>;
  /** Before that, where other servers write: writes the row of the lease if it stands, and leaves it as it was. Never inserts one. */
  readonly touchLease: StepFactory<{ groupId: string; term: number; sessionId: string }>;
  /** For a write without a lease. */
  readonly standsAnyway: StepFactory<Record<never, never>>;
  /** The first record of a job; if it has one already, nothing. */
  readonly insertJob: StepFactory<JobWriteArguments>;
  /** Replaces the record if its version is the one that is expected. */
  readonly updateJob: StepFactory<JobWriteArguments>;
  readonly stands: StepFactory<Record<never, never>, { readonly stands: number; readonly server: string }>;
}

const COLUMNS = ['group_id', 'job_id', 'version', 'write_id', 'term', 'record'];
const TEXTS = new Set(['group_id', 'job_id', 'write_id', 'record']);
const LIST = COLUMNS.map((name) => (TEXTS.has(name) ? asBytes(`j.${name}`) : `j.${name}`)).join(', ');
const KINDS = { groupId: 'text', jobId: 'text', version: 'integer', writeId: 'text', term: 'integer', record: 'text' } as const;

/** Prepares {@link JobSql}, once for a store. */
export function compileJobSql({ read, write }: StatementCompiler): JobSql {
  return Object.freeze<JobSql>({
    jobs: read(`select ${LIST} from {job} j where j.group_id = :groupId order by j.job_id`, KINDS),
    job: read(`select ${LIST} from {job} j where j.group_id = :groupId and j.job_id = :jobId`, KINDS),

    standsUnderLock: write(`
      select count(*) into @wb_stands from {lease} l force index (primary)
      where l.group_id = :groupId and l.term = :term and l.session_id = :sessionId
        and (:servers is null or json_contains(:servers, json_quote(${SERVER}))) lock in share mode`),
    // (`where true` keeps `on` from being read as the condition of the join.) Two rows if the lease is there, else none. What is updated is looked at again under its lock: in the first it has its session, in the second an empty name, which no session has.
    touchLease: write(`
      insert into {lease} (group_id, term, session_id)
      select t.id, t.number, null from (
        select l.group_id as id, l.term as number from {lease} l where l.group_id = :groupId and l.term = :term and l.session_id = :sessionId
      ) t join (select 1 as n union all select 2) twice where true
      on duplicate key update session_id =
        case when term <> :term then session_id when session_id = :sessionId then _utf8mb4 '' when session_id = _utf8mb4 '' then :sessionId else session_id end`),
    standsAnyway: write('set @wb_stands = 1'),

    insertJob: write(`
      insert ignore into {job} (group_id, job_id, version, write_id, term, record)
      select :groupId, :jobId, :expectedVersion + 1, :writeId, coalesce(:term, 0), :record from dual where @wb_stands = 1`),

    updateJob: write(`
      update {job} j force index (primary)
      set j.version = j.version + 1, j.write_id = :writeId, j.term = coalesce(:term, j.term), j.record = :record
      where j.group_id = :groupId and j.job_id = :jobId and j.version = :expectedVersion and @wb_stands = 1`),

    stands: read(`select @wb_stands, ${SERVER}`, { stands: 'integer', server: 'text' }),
  });
}
