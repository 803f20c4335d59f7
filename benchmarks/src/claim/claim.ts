import type { LeaseStore } from '@wb/core';
import type { Benchmark, BenchmarkContext } from '../benchmark.js';
import type { BenchDatabase } from '../databases/bench-database.js';
import { withTables } from '../databases/namespace.js';
import { openSession } from '../databases/open-lease.js';
import { compare, type Comparison } from '../measure/comparison.js';
import { interleaved } from '../measure/interleaved.js';
import { run, type Run } from '../measure/run.js';
import { ratioBars, type Compared } from '../report/comparison-table.js';
import { figure, type Row, type Table } from '../report/table.js';
import { createBareLock, type BareLock } from './bare-lock.js';

const BATCHES = [10, 100, 1_000] as const;
const CLAIMANTS = [1, 4, 16] as const;

/** How fast groups are claimed and released: one, many in a call, and one that many want. */
export const claim: Benchmark = {
  name: 'claim',
  question: 'How fast are groups claimed and released, over one conditional UPDATE each?',
  run: async (context) => {
    const single: Line[] = [];
    const batched: Line[] = [];
    const contended: Line[] = [];
    for (const database of context.databases) {
      context.progress(`${database.name}, one`);
      single.push({ subject: database.name, perCall: 1, comparison: await measureBatch(database, context, 1) });
      for (const size of context.isQuick ? [100] : BATCHES) {
        context.progress(`${database.name}, batches of ${size}`);
        batched.push({
          subject: `${database.name}, ${size} in a call`,
          perCall: size,
          comparison: await measureBatch(database, context, size),
        });
      }
      for (const claimants of context.isQuick ? [16] : CLAIMANTS) {
        context.progress(`${database.name}, ${claimants} claimants`);
        contended.push({
          subject: `${database.name}, ${claimants} ${claimants === 1 ? 'claimant' : 'claimants'}`,
          perCall: 1,
          comparison: await measureContended(database, context, claimants),
        });
      }
    }
    return {
      tables: [
        table('One group claimed and released', single),
        table('Many groups claimed in a call and released in a call', batched),
        table('One group that several want: each claims, and releases if it was granted; groups/s and the ratio are of grants', contended),
      ],
      chart: {
        kind: 'bars',
        title: 'Claim and release, over a conditional UPDATE each',
        unit: 'ratio of the time',
        bars: ratioBars([...single, ...batched, ...contended]),
      },
      notes: [
        'Beside it, "bare": a table with a row for each group, one conditional UPDATE to take it, one to give it back, prepared; many at once: one UPDATE of all rows. It has no session whose end frees the group, no record of terms and no notification: a claim writes the lease, the session and the record, and checks the session; the ratio is the price of that.',
      ],
    };
  },
};

/** How many groups a call is about, and what was measured. */
interface Line extends Compared {
  readonly perCall: number;
}

function table(title: string, lines: readonly Line[]): Table {
  return {
    title,
    columns: ['', 'groups/s', 'p50 ms', 'p99', 'bare groups/s', 'p50 ms', 'p99', 'ratio', 'p10–p90'],
    rows: lines.map(({ subject, perCall, comparison: { ours, theirs, ratio, ourRate, theirRate } }): Row => {
      const cells = [
        subject,
        ...[ourRate.median * perCall, ours.median, ours.p99, theirRate.median * perCall, theirs.median, theirs.p99].map(figure),
        ratio.median.toFixed(2),
        `${ratio.p10.toFixed(2)}–${ratio.p90.toFixed(2)}`,
      ];
      return { cells, data: { subject, perCall, ours, theirs, ratio, ourRate, theirRate } };
    }),
  };
}

/** A claim of `size` groups in one call, and their release in another. */
async function measureBatch(database: BenchDatabase, { isQuick }: BenchmarkContext, size: number): Promise<Comparison> {
  const groups = Array.from({ length: size }, (_group, at) => `group-${at}`);
  return await withLocks(database, 1, groups, async (store, lock) => {
    const sessionId = await openSession(store);
    const ours = async (): Promise<void> => {
      const results = await store.claim(sessionId, groups);
      const leases = results.map((result) => {
        if (result.kind !== 'granted') throw new Error(`a claim was not granted: ${JSON.stringify(result)}`);
        return { groupId: result.groupId, term: result.term };
      });
      await store.release(sessionId, leases);
    };
    const theirs = async (): Promise<void> => {
      if (size === 1) {
        await lock.claim(groups[0]!, sessionId);
        await lock.release(groups[0]!, sessionId);
      } else {
        await lock.claimAll(sessionId);
        await lock.releaseAll(sessionId);
      }
    };
    const count = Math.max(2, Math.floor((isQuick ? 20 : 200) / Math.sqrt(size)));
    return compare(
      await interleaved(
        isQuick ? 3 : 15,
        () => run(count, 1, ours),
        () => run(count, 1, theirs),
      ),
    );
  });
}

/** One group, and `claimants` that want it all the time, each with a session and a connection. */
async function measureContended(database: BenchDatabase, { isQuick }: BenchmarkContext, claimants: number): Promise<Comparison> {
  const group = 'wanted';
  return await withLocks(database, claimants, [group], async (store, lock) => {
    const sessionIds = await Promise.all(Array.from({ length: claimants }, () => openSession(store)));
    // Only what was granted counts: a refusal costs time, and gets nothing done.
    const ours = async (sessionId: string): Promise<boolean> => {
      const [result] = await store.claim(sessionId, [group]);
      if (result?.kind === 'granted') await store.release(sessionId, [{ groupId: group, term: result.term }]);
      return result?.kind === 'granted';
    };
    const theirs = async (sessionId: string): Promise<boolean> => {
      const isGranted = await lock.claim(group, sessionId);
      if (isGranted) await lock.release(group, sessionId);
      return isGranted;
    };
    const each = (what: (sessionId: string) => Promise<boolean>): Promise<Run> => {
      // As many workers as sessions, and each session in one worker at a time.
      const free = [...sessionIds];
      return run(claimants * (isQuick ? 5 : 30), claimants, async () => {
        const sessionId = free.pop()!;
        const isGranted = await what(sessionId);
        free.push(sessionId);
        return isGranted;
      });
    };
    return compare(
      await interleaved(
        isQuick ? 3 : 15,
        () => each(ours),
        () => each(theirs),
      ),
    );
  });
}

async function withLocks<T>(
  database: BenchDatabase,
  connections: number,
  groups: readonly string[],
  work: (store: LeaseStore, lock: BareLock) => Promise<T>,
): Promise<T> {
  return await withTables(database, connections, async (store, namespace) => {
    const bare = await database.openBare(connections);
    try {
      return await work(store, await createBareLock(database, bare, namespace, groups));
    } finally {
      await bare.close();
    }
  });
}
