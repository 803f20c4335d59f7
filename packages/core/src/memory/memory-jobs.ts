import { jobWriteResult } from '../job-input.js';
import type { JobEntry, JobWrite, JobWriteResult } from '../occurrence-store.js';

/** The records of jobs in memory, with the rules O1–O6 in their plainest form. Each method is one atomic step. */
export class MemoryJobs {
  /** By group, then by job. */
  readonly groups: Map<string, Map<string, JobEntry>> = new Map();

  read(groupId: string): readonly JobEntry[] {
    return [...(this.groups.get(groupId)?.values() ?? [])].toSorted((a, b) => comparePoints(a.jobId, b.jobId));
  }

  /** @param stands Whether the lease of the write stands; `true` for one without. */
  write(write: JobWrite, stands: boolean): JobWriteResult {
    const { groupId, jobId, expectedVersion, writeId, record, lease } = write;
    const jobs = this.groups.get(groupId) ?? new Map<string, JobEntry>();
    this.groups.set(groupId, jobs);
    const before = jobs.get(jobId);
    if (stands && (before?.version ?? 0) === expectedVersion) {
      jobs.set(jobId, { groupId, jobId, version: expectedVersion + 1, writeId, term: lease?.term ?? before?.term ?? 0, record });
    }
    return jobWriteResult(write, jobs.get(jobId) ?? null, stands);
  }
}

/** By code points, as a database that compares bytes of UTF-8: code units have those above U+FFFF before some below. */
function comparePoints(a: string, b: string): number {
  const [left, right] = [[...a], [...b]];
  const at = left.findIndex((point, index) => point !== right[index]);
  return at === -1 ? left.length - right.length : left[at]!.codePointAt(0)! - (right[at]?.codePointAt(0) ?? -1);
}
