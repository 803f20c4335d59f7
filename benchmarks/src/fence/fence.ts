import type { FenceLease, LeaseStore } from '@wb/core';
import type { Benchmark, BenchmarkContext } from '../benchmark.js';
import type { BenchDatabase } from '../databases/bench-database.js';
import { withTables } from '../databases/namespace.js';
import { createNotes } from './notes.js';
import { openLease } from '../databases/open-lease.js';
import { compare } from '../measure/comparison.js';
import { interleaved } from '../measure/interleaved.js';
import { run } from '../measure/run.js';
import { comparisonTable, ratioBars, type Compared } from '../report/comparison-table.js';
import { heartbeatsBesideFence } from './heartbeats-beside-fence.js';

/** How many transactions at once, all on one lease. */
const CONCURRENCIES = [1, 10, 100] as const;
/** On PostgreSQL; elsewhere the figure stands for itself. */
const GOAL = 1.3;
/** In ms: a line of a hundred may take long. */
const HOLD_MS = 60_000;

/** What a fence costs, and whether it holds up heartbeats. */
export const fence: Benchmark = {
  name: 'fence',
  question: 'What does a fenced transaction cost, over the same transaction without a fence?',
  findings: [
    'on PostgreSQL two thirds of what is above 1 is the server: it runs a look at the lease and a limit more in each transaction, as it does when the bare driver sends the same statements. The rest is this process, 80 µs for each transaction, which two cores share with the server.',
  ],
  run: async (context) => {
    const lines: Compared[] = [];
    const besides: Compared[] = [];
    const notes = [
      'The transaction inserts one row: the shorter it is, the more a fence weighs. Both sides take a connection, begin, insert and commit; all fences of a line are on one lease.',
      '“Looked at first”: a lease of which this process does not know how long it is held, such as one that was handed to it as three facts. The `lease` of the work of `lead` knows. MySQL, MariaDB and SQLite always look.',
      'In the second table, `fenced` locks the lease with its commit alone; `fence`, called first in a transaction of the user’s, locks it from there on.',
      'SQLite is left out of the second table: it has one writer, a heartbeat waits for any transaction that writes, and a fenced one is therefore limited to 500 ms and a quarter of the TTL.',
    ];
    // A quick run has time for one.
    for (const database of context.isQuick ? context.databases.slice(0, 1) : context.databases) {
      for (const concurrency of CONCURRENCIES) {
        context.progress(`${database.name}, ${concurrency} at once`);
        const connections = Math.min(concurrency, database.maxConnections);
        lines.push(await cost(database, context, { concurrency, connections, isTrusted: true }));
        // Elsewhere the store looks at every lease.
        if (database.name === 'postgres') lines.push(await cost(database, context, { concurrency, connections, isTrusted: false }));
        if (connections < concurrency)
          notes.push(`${database.name}: ${concurrency} at once share ${connections} connections, since the server has no more.`);
      }
      if (database.name === 'sqlite') continue;
      context.progress(`${database.name}, heartbeats`);
      for (const fencing of ['fenced', 'fence'] as const) besides.push(await heartbeatsBesideFence(database, context.isQuick, fencing));
    }
    return {
      tables: [
        comparisonTable('A fenced transaction over the same without a fence', { ours: 'fenced', theirs: 'plain' }, lines),
        comparisonTable(
          'Heartbeats during a fenced transaction that lasts ten of them, over heartbeats without it',
          { ours: 'during', theirs: 'without' },
          besides,
        ),
      ],
      chart: {
        kind: 'bars',
        title: 'Fenced transaction over the same without a fence',
        unit: 'ratio of the time per transaction',
        bars: ratioBars(lines),
        goal: GOAL,
      },
      notes,
    };
  },
};

interface Line {
  readonly concurrency: number;
  readonly connections: number;
  /** Whether the lease says how long it is held, as that of the work of `lead` does: then it is not looked at first. */
  readonly isTrusted: boolean;
}

async function cost(
  database: BenchDatabase,
  { isQuick }: BenchmarkContext,
  { concurrency, connections, isTrusted }: Line,
): Promise<Compared> {
  return await withTables(database, connections, async (store, namespace) => {
    const bare = await database.openBare(connections);
    try {
      const insert = await createNotes(database, bare, namespace);
      const lease: FenceLease = { ...(await openLease(store, 'fenced')), ...(isTrusted && { remainingMs: () => HOLD_MS }) };
      const count = Math.max(isQuick ? 40 : 300, concurrency * (isQuick ? 2 : 6));
      const pairs = await interleaved(
        isQuick ? 5 : 21,
        () => run(count, concurrency, () => writeFenced(database, store, lease, insert)),
        () => run(count, concurrency, () => bare.transaction(insert, [lease.term])),
      );
      const goal = database.name === 'postgres' ? GOAL : undefined;
      return {
        subject: `${database.name}, ${concurrency} at once${isTrusted ? '' : ', looked at first'}`,
        comparison: compare(pairs),
        goal,
      };
    } finally {
      await bare.close();
    }
  });
}

async function writeFenced(database: BenchDatabase, store: LeaseStore, lease: FenceLease, insert: string): Promise<void> {
  await store.fenced!(lease, (transaction) => database.queryIn(transaction, insert, [lease.term]), { maxHoldMs: HOLD_MS });
}
