import { jobWriteResult, type JobEntry, type JobWrite, type JobWriteResult, type LeaseStore } from '@wb/core';
import { MemoryDatabase, MemoryJobs, type StoreInstant } from '@wb/core/memory';
import { delay, RETENTION_MS, storeNow, type Mutant } from './mutant.js';

/** What a write has found, and left. */
interface Seen {
  readonly before: JobEntry | null;
  readonly current: JobEntry | null;
  readonly stood: boolean;
}

/** What a wrong store does otherwise. */
interface Wrongness {
  /** Whether a write may be made. Default: its lease stands. */
  readonly stands?: (database: MemoryDatabase, write: JobWrite) => boolean;
  /** Whether the version is the expected one. */
  readonly matches?: (before: JobEntry | undefined, write: JobWrite) => boolean;
  readonly stored?: (entry: JobEntry, write: JobWrite) => JobEntry;
  readonly answer?: (right: JobWriteResult, write: JobWrite, seen: Seen) => JobWriteResult;
  readonly read?: (entries: readonly JobEntry[]) => readonly JobEntry[];
  readonly after?: (database: MemoryDatabase, write: JobWrite) => void;
}

/** A database whose records of jobs are wrong in one way. */
class Wrong extends MemoryDatabase {
  readonly #wrong: Wrongness;

  constructor(wrongness: Wrongness) {
    super(RETENTION_MS);
    this.#wrong = wrongness;
  }

  override readJobs(groupId: string): readonly JobEntry[] {
    return this.#wrong.read?.(super.readJobs(groupId)) ?? super.readJobs(groupId);
  }

  override writeJob(write: JobWrite): JobWriteResult {
    const { groupId, jobId, expectedVersion, lease } = write;
    const { stands, matches, stored, answer, after } = this.#wrong;
    const stood = stands?.(this, write) ?? (lease === null || this.stands({ ...lease, groupId }));
    const before = recordOf(this, write);
    if (stood && (matches?.(before ?? undefined, write) ?? (before?.version ?? 0) === expectedVersion)) {
      overwrite(this, write);
      const jobs = this.jobs.groups.get(groupId)!;
      if (stored) jobs.set(jobId, stored(jobs.get(jobId)!, write));
    }
    after?.(this, write);
    const current = recordOf(this, write);
    const right = jobWriteResult(write, current, stood);
    return answer?.(right, write, { before, current, stood }) ?? right;
  }
}

function recordOf(database: MemoryDatabase, { groupId, jobId }: JobWrite): JobEntry | null {
  return database.jobs.groups.get(groupId)?.get(jobId) ?? null;
}

/** Writes without any condition. */
function overwrite(database: MemoryDatabase, write: JobWrite): void {
  const { groupId, jobId, expectedVersion, writeId, record, lease } = write;
  const { groups } = database.jobs;
  const jobs = groups.get(groupId) ?? new Map<string, JobEntry>();
  groups.set(groupId, jobs);
  const term = lease?.term ?? jobs.get(jobId)?.term ?? 0;
  jobs.set(jobId, { groupId, jobId, version: expectedVersion + 1, writeId, term, record });
}

/** Forgets all records when a session ends. */
class EndingWithTheSession extends MemoryDatabase {
  override closeSession(sessionId: string, nowMs: StoreInstant): void {
    const held = this.sessions.get(sessionId)?.holds ?? new Set<string>();
    for (const groupId of held) this.jobs.groups.delete(groupId);
    super.closeSession(sessionId, nowMs);
  }
}

/** One table of jobs for all groups. */
class WithoutGroups extends MemoryJobs {
  override read(): readonly JobEntry[] {
    return super.read('all');
  }

  override write(write: JobWrite, stands: boolean): JobWriteResult {
    return super.write({ ...write, groupId: 'all' }, stands);
  }
}

class OneTable extends MemoryDatabase {
  override readonly jobs: MemoryJobs = new WithoutGroups();
}

function wrong(what: Wrongness): () => MemoryDatabase {
  return () => new Wrong(what);
}

/** A client that looks whether it may write, and writes in a second step. */
function inTwoSteps(store: LeaseStore, database: MemoryDatabase): LeaseStore {
  return {
    ...store,
    writeJob: async (write) => {
      const before = recordOf(database, write);
      await delay(1);
      if ((before?.version ?? 0) === write.expectedVersion) overwrite(database, write);
      return jobWriteResult(write, recordOf(database, write), true);
    },
  };
}

/** A client that looks whether the lease stands, and writes later. */
function fencingEarly(store: LeaseStore, database: MemoryDatabase): LeaseStore {
  return {
    ...store,
    writeJob: async (write) => {
      const { groupId, lease } = write;
      const stood = lease === null || database.stands({ ...lease, groupId });
      await delay(2);
      return database.jobs.write(write, stood);
    },
  };
}

/**
 * A client that looks whether the lease stands, and when it writes only whether it was released. A write takes some ms, in each group another time, and from the expiry on until the group is taken: so one is under way in some group whenever that
 * happens, however busy the machine is.
 */
function forgettingExpiry(store: LeaseStore, database: MemoryDatabase): LeaseStore {
  const groupIds: string[] = [];
  const takesMs = (groupId: string): number => {
    if (!groupIds.includes(groupId)) groupIds.push(groupId);
    return 4 + 3 * groupIds.indexOf(groupId);
  };
  return {
    ...store,
    writeJob: async (write) => {
      const { groupId, lease } = write;
      const stands = (): boolean => lease === null || database.stands({ ...lease, groupId });
      const stood = stands();
      const isExpired = (): boolean => (database.sessions.get(lease?.sessionId ?? '')?.expiresAt ?? Infinity) <= storeNow();
      for (let waits = 0; stands() && (waits < takesMs(groupId) || (isExpired() && waits < 1_000)); waits += 1) await delay(1);
      return database.jobs.write(write, stood && database.leases.get(groupId)?.holderId !== null);
    },
  };
}

/** Forgets all records when a client is closed, and says that it does not. */
function forgettingWithTheClient(store: LeaseStore, database: MemoryDatabase): LeaseStore {
  return {
    ...store,
    capabilities: { ...store.capabilities, durable: true },
    close: async () => {
      database.jobs.groups.clear();
      await store.close();
    },
  };
}

const holdsGroup = (database: MemoryDatabase, { groupId, lease }: JobWrite): boolean =>
  lease === null || database.leases.get(groupId)?.holderId === lease.sessionId;

/** Stores that are wrong about the records of jobs. */
export const occurrenceMutants: readonly Mutant[] = [
  { title: 'a record is of every group', killedBy: 'O1.1', database: () => new OneTable(RETENTION_MS) },
  { title: 'the term of a write is not kept', killedBy: 'O1.1', database: wrong({ stored: (entry) => ({ ...entry, term: 0 }) }) },
  { title: 'a write by anybody', killedBy: 'O1.2', database: wrong({ stands: () => true }) },
  { title: 'a write that names no term', killedBy: 'O1.2', database: wrong({ stands: holdsGroup }) },
  {
    title: 'a write that names no session',
    killedBy: 'O1.2',
    database: wrong({ stands: (database, { groupId, lease }) => lease === null || database.leases.get(groupId)?.term === lease.term }),
  },
  {
    title: 'the first record of a job is written by anybody',
    killedBy: 'O1.2',
    database: wrong({
      stands: (database, { groupId, expectedVersion, lease }) =>
        expectedVersion === 0 || lease === null || database.stands({ ...lease, groupId }),
    }),
  },
  { title: 'an old term of the session that leads again may write', killedBy: 'O1.3', database: wrong({ stands: holdsGroup }) },
  {
    title: 'what was released may still be written',
    killedBy: 'O1.3',
    database: wrong({
      stands: (database, { groupId, lease }) => {
        const row = database.leases.get(groupId);
        return lease === null || (row?.term === lease.term && (row.holderId ?? lease.sessionId) === lease.sessionId);
      },
    }),
  },
  {
    title: 'an old leader writes as long as nobody else has written',
    killedBy: 'O1.4',
    database: wrong({
      stands: (database, { groupId, jobId, lease }) =>
        lease === null || (database.jobs.groups.get(groupId)?.get(jobId)?.term ?? 0) <= lease.term,
    }),
  },
  {
    title: 'a write keeps its session alive',
    killedBy: 'O1.5',
    database: wrong({
      after: (database, { lease }) => void (lease && database.heartbeat({ sessionId: lease.sessionId, holders: [] }, storeNow())),
    }),
  },
  { title: 'the lease is looked at before the write', killedBy: 'O1.6', client: fencingEarly },
  {
    title: 'a lease that was taken over after an expiry still stands for the writes under way',
    killedBy: 'O1.7',
    client: forgettingExpiry,
  },
  {
    title: 'a later version may be written over',
    killedBy: 'O2.1',
    database: wrong({ matches: (before, { expectedVersion }) => (before?.version ?? 0) >= expectedVersion }),
  },
  {
    title: 'a version that does not exist yet may be written',
    killedBy: 'O2.1',
    database: wrong({ matches: (before, { expectedVersion }) => (before?.version ?? 0) <= expectedVersion }),
  },
  {
    title: 'who is stale is not told what is there',
    killedBy: 'O2.1',
    database: wrong({ answer: (right) => (right.kind === 'stale' ? { ...right, current: null } : right) }),
  },
  { title: 'read, then written: two of many may win', killedBy: 'O2.2', client: inTwoSteps },
  {
    title: 'a counter loses counts: the last write wins',
    killedBy: 'O2.3',
    database: wrong({ matches: () => true }),
  },
  {
    title: 'a repeat is told that it is stale',
    killedBy: 'O3.1',
    database: wrong({
      answer: (right, { writeId }, { before, current }) => (before?.writeId === writeId ? { kind: 'stale', current } : right),
    }),
  },
  {
    title: 'a repeat is written again',
    killedBy: 'O3.1',
    database: wrong({
      matches: (before, { expectedVersion, writeId }) => (before?.version ?? 0) === expectedVersion || before?.writeId === writeId,
      stored: (entry, { expectedVersion }) => ({ ...entry, version: expectedVersion + 2 }),
    }),
  },
  {
    title: 'a repeat after the lease is told that it is fenced',
    killedBy: 'O3.2',
    database: wrong({ answer: (right, _write, { stood }) => (stood ? right : { kind: 'fenced' }) }),
  },
  {
    title: 'what is written tells whose write it was',
    killedBy: 'O3.3',
    database: wrong({
      answer: (right, { record, expectedVersion }, { current }) =>
        current?.version === expectedVersion + 1 && current.record === record ? { kind: 'written', version: current.version } : right,
    }),
  },
  { title: 'only one job of a group is read', killedBy: 'O4.1', database: wrong({ read: (entries) => entries.slice(0, 1) }) },
  { title: 'jobs are read in no order', killedBy: 'O4.1', database: wrong({ read: (entries) => entries.toReversed() }) },
  {
    title: 'an operator takes the term of the last leader away',
    killedBy: 'O4.2',
    database: wrong({ stored: (entry, { lease }) => (lease === null ? { ...entry, term: 0 } : entry) }),
  },
  {
    title: 'an operator asks for no version',
    killedBy: 'O4.2',
    database: wrong({ matches: (before, { expectedVersion, lease }) => lease === null || (before?.version ?? 0) === expectedVersion }),
  },
  {
    title: 'blanks around a record are lost',
    killedBy: 'O5.1',
    database: wrong({ stored: (entry) => ({ ...entry, record: entry.record.trim() }) }),
  },
  {
    title: 'a long record is cut',
    killedBy: 'O5.1',
    database: wrong({ stored: (entry) => ({ ...entry, record: entry.record.slice(0, 20_000) }) }),
  },
  {
    title: 'a write that cannot be kept is written',
    killedBy: 'O5.2',
    client: (store, database) => ({ ...store, writeJob: async (write) => await Promise.resolve(database.writeJob(write)) }),
  },
  { title: 'the records end with the client', killedBy: 'O6.1', client: forgettingWithTheClient },
  { title: 'the records end with the session', killedBy: 'O6.2', database: () => new EndingWithTheSession(RETENTION_MS) },
];
