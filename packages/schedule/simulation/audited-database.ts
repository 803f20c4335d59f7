import type { JobWrite, JobWriteResult } from '@wb/core';
import { MemoryDatabase, type StoreInstant } from '@wb/core/memory';
import type { Audit } from './audit.js';
import { Violation } from './violation.js';

/** The memory store's database, with each write of a record shown to the audit. */
export class AuditedDatabase extends MemoryDatabase {
  /** Set when the audit found something inside a statement, whose sender must not be the one to hear of it. */
  violation: Violation | null = null;
  /** Called with each write that was applied. */
  onWrite: (write: JobWrite) => void = () => undefined;
  readonly #audit: Audit;

  constructor(audit: Audit) {
    super();
    this.#audit = audit;
  }

  override writeJob(write: JobWrite): JobWriteResult {
    const { groupId, jobId, lease } = write;
    const entry = (): unknown => this.jobs.groups.get(groupId)?.get(jobId);
    const stands = lease === null || this.stands({ ...lease, groupId });
    const before = entry();
    const result = this.apply(write);
    if (entry() !== before) {
      this.onWrite(write);
      this.#check(() => this.#audit.wrote(write, stands));
    }
    return result;
  }

  /** The write itself. */
  protected apply(write: JobWrite): JobWriteResult {
    return super.writeJob(write);
  }

  /** Whether a lease is the group's last one and its session lives. */
  leads(groupId: string, term: number, sessionId: string, nowMs: StoreInstant): boolean {
    return this.stands({ groupId, term, sessionId }) && this.isLive(this.sessions.get(sessionId), nowMs);
  }

  #check(look: () => void): void {
    try {
      look();
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.violation ??= error;
    }
  }
}
