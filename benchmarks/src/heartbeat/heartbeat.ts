import type { Benchmark } from '../benchmark.js';
import type { BenchDatabase } from '../databases/bench-database.js';
import { withTables } from '../databases/namespace.js';
import { openSession } from '../databases/open-lease.js';
import { compare } from '../measure/comparison.js';
import { interleaved } from '../measure/interleaved.js';
import { run } from '../measure/run.js';
import { comparisonTable, processorTable, ratioBars, type Compared } from '../report/comparison-table.js';

const GOAL = 1.1;

/** One heartbeat against the bare driver with the same statement. */
export const heartbeat: Benchmark = {
  name: 'heartbeat',
  question: 'What does a heartbeat cost, over the bare driver running the same statement prepared?',
  findings: [
    'the deadline of the call (an AbortController, its listener, a timer), the queue for a connection and the check of names: 5 to 70 µs of the process for each heartbeat, of which there is one in a second. With SQLite the whole of a heartbeat takes 20 µs.',
  ],
  run: async ({ databases, isQuick, progress }) => {
    const lines: Compared[] = [];
    for (const database of databases) {
      progress(database.name);
      for (const way of WAYS) lines.push(await measure(database, way, isQuick));
    }
    return {
      tables: [
        comparisonTable('One heartbeat, over the bare driver: time', { ours: 'heartbeat', theirs: 'bare' }, lines),
        processorTable('One heartbeat, over the bare driver: processor time of this process', { ours: 'heartbeat', theirs: 'bare' }, lines),
      ],
      chart: {
        kind: 'bars',
        title: 'A heartbeat over the bare driver',
        unit: 'ratio of the time per heartbeat',
        bars: ratioBars(lines),
        goal: GOAL,
      },
      notes: [
        'What the store sends is listened to once, and sent again by the driver alone, on a connection of its own. PostgreSQL and SQLite: prepared statements. MySQL and MariaDB: one packet of several statements, which cannot be prepared.',
        '"With a deadline" is how the coordinator calls the store: with an `AbortController` and a timer for each call.',
        '"As a standby" asks, in the same round trip, about the session that it waits for.',
        'Heartbeats follow one another without a pause. A process sends one in a second: of that second a core is busy for the processor time above.',
      ],
    };
  },
};

/** How a heartbeat is sent. */
interface Way {
  readonly suffix: string;
  readonly holderCount: number;
  readonly hasDeadline: boolean;
}

const WAYS: readonly Way[] = [
  { suffix: '', holderCount: 0, hasDeadline: false },
  { suffix: ', as a standby', holderCount: 1, hasDeadline: false },
  { suffix: ', with a deadline', holderCount: 0, hasDeadline: true },
];
/** The deadline of a call, in ms. */
const DEADLINE_MS = 2_000;

/** As the coordinator calls the store: with a signal of its own, which a timer aborts. */
async function withDeadline<T>(send: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), DEADLINE_MS);
  try {
    return await new Promise<T>((resolve, reject) => {
      abort.signal.addEventListener('abort', () => reject(abort.signal.reason as Error));
      send(abort.signal).then(resolve, reject);
    });
  } finally {
    clearTimeout(timer);
  }
}

async function measure(database: BenchDatabase, { suffix, holderCount, hasDeadline }: Way, isQuick: boolean): Promise<Compared> {
  return await withTables(database, 1, async (store) => {
    const sessionId = await openSession(store);
    const holders = await Promise.all(Array.from({ length: holderCount }, () => openSession(store)));
    const beat = async (): Promise<void> => {
      const request = { sessionId, holders };
      const result = await (hasDeadline ? withDeadline((signal) => store.heartbeat(request, { signal })) : store.heartbeat(request));
      if (!result.alive) throw new Error('the session is dead');
    };
    await beat();
    const replay = await database.replay(beat);
    try {
      const count = isQuick ? 30 : 300;
      const pairs = await interleaved(
        isQuick ? 5 : 31,
        () => run(count, 1, beat),
        () => run(count, 1, replay.run),
      );
      return { subject: `${database.name}${suffix}`, comparison: compare(pairs), goal: GOAL };
    } finally {
      await replay.close();
    }
  });
}
