import { createCoordinator, type LeaseStore } from '@wb/core';
import { mysqlLeaseStore } from '@wb/mysql';
import { postgresLeaseStore } from '@wb/postgres';
import { readJobStatus, schedule, type Job, type JobContext, type JobStatus } from '@wb/schedule';
import { sqliteLeaseStore } from '@wb/sqlite';
import { describe, expect, it } from 'vitest';
import { emptyMysqlDatabase, emptyPostgresDatabase, emptySqliteDatabase, type EmptyDatabase } from './cli/empty-database.js';
import { wb } from './cli/wb-command.js';
import { describeServer } from './servers/describe-server.js';

/** A member whose job comes once by itself, when it first leads, and otherwise when it is asked to. */
class Member implements AsyncDisposable {
  readonly job: Job;
  readonly runs: JobContext[] = [];
  readonly store: LeaseStore;
  readonly #coordinator: ReturnType<typeof createCoordinator>;
  #onRun: () => void = () => undefined;

  constructor(memberId: string, open: () => LeaseStore) {
    this.store = open();
    this.#coordinator = createCoordinator({ store: this.store, memberId, ttlMs: 60_000 });
    this.job = schedule(this.#coordinator, { group: 'orders', job: 'send', every: 86_400_000, refreshMs: 20 }, (context) => {
      this.runs.push(context);
      this.#onRun();
    });
  }

  /** Resolves when it has run so often. */
  async ran(count: number): Promise<void> {
    while (this.runs.length < count) await new Promise<void>((resolve) => (this.#onRun = resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#coordinator.close();
    await this.store.close();
  }
}

/** Resolves when the record says so. */
async function says({ store }: Member, record: Partial<JobStatus>): Promise<void> {
  await expect.poll(() => readJobStatus(store, 'orders', 'send'), { timeout: 60_000 }).toMatchObject(record);
}

const FIRST = { runCount: 1, running: null };

/** Lists, pauses, resumes, runs and restarts a job of a living leader. @returns how often it ran. */
async function operates({ url }: EmptyDatabase, open: () => LeaseStore): Promise<number> {
  const jobs = (...args: readonly string[]): ReturnType<typeof wb> => wb(['jobs', 'orders', ...args, '--store', url]);
  await using ada = new Member('ada', open);
  await ada.ran(1);
  await says(ada, FIRST);
  expect(jobs().stdout).toMatch(/^JOB .*\nsend +waiting +every 86400000 ms +\S+ \S+ +\S+ \S+ +succeeded +ada +1 +0 +0\n$/);
  expect(jobs('pause', 'send').stdout).toContain('paused');
  const again = jobs('pause', 'send');
  expect([again.status, again.stderr]).toEqual([0, 'wb: there was nothing to change\n']);
  expect(jobs('run', 'send').status).toBe(0);
  await ada.ran(2);
  await says(ada, { isPaused: true, runCount: 2, count: 1, requestedAtMs: null });
  expect(jobs('resume', 'send').stdout).toContain('waiting');
  await says(ada, { isPaused: false });
  // Then it is at its beginning, which comes at once.
  expect(jobs('restart', 'send').status).toBe(0);
  await ada.ran(3);
  return ada.runs.length;
}

/** Runs a job of a leader by the command, and of its successor by itself. @returns what the command tells of it. */
async function goesOn({ url }: EmptyDatabase, open: () => LeaseStore): Promise<unknown> {
  const jobs = (...args: readonly string[]): ReturnType<typeof wb> => wb(['jobs', 'orders', ...args, '--store', url]);
  {
    await using ada = new Member('ada', open);
    await ada.ran(1);
    await says(ada, FIRST);
    expect(jobs('run', 'send').status).toBe(0);
    await ada.ran(2);
    await says(ada, { runCount: 2, running: null });
  }
  await using bob = new Member('bob', open);
  await says(bob, { runCount: 2 });
  await bob.job.restart();
  await bob.ran(1);
  await says(bob, { runCount: 3, count: 1, running: null, isRestarting: false });
  const [status] = JSON.parse(jobs('--json').stdout) as JobStatus[];
  return status?.history.map(({ occurrence, memberId, term, cause, outcome }) => [occurrence, memberId, term, cause, outcome]);
}

/** What {@link goesOn} returns. */
const RAN = [
  [3, 'bob', 2, 'schedule', 'succeeded'],
  [2, 'ada', 1, 'manual', 'succeeded'],
  [1, 'ada', 1, 'schedule', 'succeeded'],
];

/** In a database that is migrated, and dropped afterwards. */
async function within(database: EmptyDatabase, open: () => LeaseStore, body: typeof goesOn): Promise<unknown> {
  try {
    const store = open();
    await store.migrate();
    await store.close();
    return await body(database, open);
  } finally {
    await database.drop();
  }
}

describe('wb jobs', () => {
  it('lists, pauses, resumes, runs and restarts a job of a living leader', async () => {
    const database = await emptySqliteDatabase();
    await expect(within(database, () => sqliteLeaseStore({ filename: database.url.slice('sqlite:'.length) }), operates)).resolves.toBe(3);
  });

  it('says what is wrong', async () => {
    const database = await emptySqliteDatabase();
    const store = sqliteLeaseStore({ filename: database.url.slice('sqlite:'.length) });
    await store.migrate();
    const write = { groupId: 'orders', jobId: 'newer', expectedVersion: 0, writeId: 'w', record: '{"format":2}', lease: null };
    await store.writeJob?.(write);
    await store.close();
    const jobs = (...args: readonly string[]): ReturnType<typeof wb> => wb(['jobs', 'orders', ...args, '--store', database.url]);
    expect(jobs('pause', 'other').stderr).toContain('no leader has seen a job "other"');
    expect(jobs('pause').status).toBe(125);
    expect(jobs('destroy', 'send').status).toBe(125);
    const listed = jobs('--json');
    expect([listed.status, listed.stdout]).toEqual([0, '[]\n']);
    expect(listed.stderr).toContain('the record of job "newer" of group "orders" cannot be read');
    await database.drop();
  });
});

describeServer('postgres', 'wb jobs', ({ url }) => {
  it('runs a job of a living leader, and tells what its successor has run', async () => {
    const database = await emptyPostgresDatabase(url);
    expect(await within(database, () => postgresLeaseStore({ connectionString: database.url }), goesOn)).toEqual(RAN);
  });
});

describeServer('mysql', 'wb jobs', ({ url }) => {
  it('runs a job of a living leader, and tells what its successor has run', async () => {
    const database = await emptyMysqlDatabase(url);
    expect(await within(database, () => mysqlLeaseStore({ connectionString: database.url }), goesOn)).toEqual(RAN);
  });
});
