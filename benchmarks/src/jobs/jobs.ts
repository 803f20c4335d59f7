import type { JobWrite, LeaseStore } from '@wb/core';
import { randomUUID } from 'node:crypto';
import type { Benchmark } from '../benchmark.js';
import type { BenchDatabase } from '../databases/bench-database.js';
import { withTables } from '../databases/namespace.js';
import { openLease } from '../databases/open-lease.js';
import { compare } from '../measure/comparison.js';
import { interleaved } from '../measure/interleaved.js';
import { run } from '../measure/run.js';
import { comparisonTable, processorTable, ratioBars, type Compared } from '../report/comparison-table.js';
import { atMost, type Table } from '../report/table.js';
import { sampleRecord } from './sample-record.js';

const GOAL = 1.1;
const GROUP = 'jobs';
const JOB = 'send';
/** Stands for the version while it is listened in: no record ever has it, so that nothing is written then. */
const MARKER = 987_654_321;

/** What one database came to. */
interface Line extends Compared {
  readonly name: string;
  /** What a claim sends to the database, one after the other; `null`: nothing is sent to a file. */
  readonly roundTripCount: number | null;
}

/** The claim of an occurrence: one conditional write of its job's record. */
export const jobs: Benchmark = {
  name: 'jobs',
  question: 'What does the claim of an occurrence cost, over the bare driver running the same statement?',
  findings: [
    'processor time of this process, 70 to 180 µs for each claim: the deadline, the queue for a connection, and around a file the steps of a transaction. The checks of what is written are 2 % of it.',
  ],
  run: async ({ databases, isQuick, progress }) => {
    const lines: Line[] = [];
    for (const database of databases) {
      progress(database.name);
      lines.push(await measure(database, isQuick));
    }
    const names = { ours: 'claim', theirs: 'bare' };
    return {
      tables: [
        roundTripTable(lines),
        comparisonTable('The claim of an occurrence, over the bare driver: time', names, lines),
        processorTable('The claim of an occurrence, over the bare driver: processor time of this process', names, lines),
      ],
      chart: {
        kind: 'bars',
        title: 'The claim of an occurrence over the bare driver',
        unit: 'ratio of the time per claim',
        bars: ratioBars(lines),
        goal: GOAL,
      },
      notes: [
        `The record is that of a job with eight outcomes behind it, ${sampleRecord(100).length} bytes. Both sides write the same one, in turns, each write from the version that the last has left; at the end the version says that every one of them was applied.`,
        'What the store sends is listened to once, and sent again by the driver alone, on a connection of its own, with the next version. PostgreSQL and SQLite: prepared statements. MySQL and MariaDB: one packet of several statements, which cannot be prepared.',
        'A run of a job is two of these: the claim, and its outcome.',
      ],
    };
  },
};

function roundTripTable(lines: readonly Line[]): Table {
  return {
    title: 'What a claim sends',
    columns: ['', 'round trips'],
    rows: lines.map(({ name, roundTripCount }) => ({
      cells: [name, roundTripCount === null ? 'none: a file' : String(roundTripCount)],
      data: { subject: name, roundTripCount },
      goal: roundTripCount === null ? undefined : atMost(1, roundTripCount),
    })),
  };
}

async function measure(database: BenchDatabase, isQuick: boolean): Promise<Line> {
  return await withTables(database, 1, async (store) => {
    const { term, sessionId } = await openLease(store, GROUP);
    const record = sampleRecord(100);
    let version = 0;
    const write = async (expectedVersion: number): Promise<void> => {
      const claim: JobWrite = {
        groupId: GROUP,
        jobId: JOB,
        expectedVersion,
        writeId: randomUUID(),
        record,
        lease: { term, sessionId },
      };
      const { kind } = await store.writeJob!(claim);
      if (kind !== (expectedVersion === MARKER ? 'stale' : 'written')) throw new Error(`the claim was answered ${kind}`);
      if (kind === 'written') version += 1;
    };
    const claimNext = async (): Promise<void> => await write(version);
    await claimNext();
    await claimNext();
    const replay = await database.replay(async () => await write(MARKER), {
      marker: MARKER,
      // Sent one after the other: it is the last one by the time of the next.
      next: () => (version += 1) - 1,
      isDurable: true,
    });
    try {
      const count = isQuick ? 40 : 300;
      const pairs = await interleaved(
        isQuick ? 5 : 31,
        () => run(count, 1, claimNext),
        () => run(count, 1, replay.run),
      );
      await assertAllApplied(store, version);
      return {
        name: database.name,
        subject: database.name,
        comparison: compare(pairs),
        goal: GOAL,
        roundTripCount: database.name === 'sqlite' ? null : replay.sentCount,
      };
    } finally {
      await replay.close();
    }
  });
}

/** A claim that is not applied costs less. */
async function assertAllApplied(store: LeaseStore, version: number): Promise<void> {
  const [entry] = await store.readJobs!(GROUP);
  if (entry?.version !== version) throw new Error(`${version} claims were made, and the record has version ${entry?.version}`);
}
