import type { LeaseStore } from '@wb/core';
import type { Benchmark, BenchmarkContext } from '../benchmark.js';
import { CrowdProcess } from '../crowd/crowd-process.js';
import type { BenchDatabase } from '../databases/bench-database.js';
import { expiryByMachine } from '../databases/expiry.js';
import { withTables } from '../databases/namespace.js';
import { machineMs } from '../failover/messages.js';
import { pause } from '../measure/clock.js';
import { distribution, type Distribution } from '../measure/distribution.js';
import { atMost, figure, type Row } from '../report/table.js';

const GROUPS = 10_000;
const TTL_MS = 3_000;
const HEARTBEAT_MS = 600;
const GOAL = 2;
/** The bulk UPDATE of each round: the median counts. */
const UPDATES = 3;

interface Round {
  /** From the expiry of the dead session to the begin of the last work. */
  readonly takeoverMs: number;
  readonly updateMs: number;
}

interface Line {
  readonly database: string;
  readonly takeover: Distribution;
  readonly update: Distribution;
  readonly ratio: Distribution;
}

/** A process with ten thousand groups dies. */
export const takeover: Benchmark = {
  name: 'takeover',
  question: `A process with ${GROUPS.toLocaleString('en-US')} groups dies: how long until the standby leads them all, over one bulk UPDATE of the same rows?`,
  findings: [
    'nearly all of it is the claims. Of the 50 ms that PostgreSQL takes for 1,000 groups, 12 are the update of the leases (what the bulk UPDATE does), 10 the record of terms, 14 the look and the locks, the rest joins and answers.',
  ],
  run: async (context) => {
    const lines: Line[] = [];
    const databases = context.isQuick ? context.databases.slice(0, 1) : context.databases;
    for (const database of databases) lines.push(await measure(database, context));
    return {
      tables: [
        {
          title: `From the expiry of the dead session until ${GROUPS.toLocaleString('en-US')} works have begun`,
          columns: ['', 'takeover p50 ms', 'max', 'bulk UPDATE p50 ms', 'max', 'ratio', 'min–max'],
          rows: lines.map(row),
        },
      ],
      chart: {
        kind: 'bars',
        title: `Takeover of ${GROUPS.toLocaleString('en-US')} groups, over one bulk UPDATE of the same rows`,
        unit: 'ratio',
        bars: lines.map(({ database, ratio }) => ({ label: database, value: ratio.median, low: ratio.min, high: ratio.max })),
        goal: GOAL,
      },
      notes: [
        'The UPDATE gives every row of `wb_lease` another session and the next term, and commits: the least that a takeover can be. A takeover also writes a row of the record of terms for each group (H1), which about doubles what is written, sends the groups there and the answers back, and starts the works.',
      ],
    };
  },
};

async function measure(database: BenchDatabase, { isQuick, progress }: BenchmarkContext): Promise<Line> {
  return await withTables(database, 2, async (store, namespace) => {
    const rounds: Round[] = [];
    const count = isQuick ? 1 : 7;
    while (rounds.length < count) {
      progress(`${database.name}, round ${rounds.length + 1} of ${count}`);
      rounds.push(await measureRound(database, store, namespace, rounds.length));
    }
    return {
      database: database.name,
      takeover: distribution(rounds.map(({ takeoverMs }) => takeoverMs)),
      update: distribution(rounds.map(({ updateMs }) => updateMs)),
      ratio: distribution(rounds.map(({ takeoverMs, updateMs }) => takeoverMs / updateMs)),
    };
  });
}

async function measureRound(database: BenchDatabase, store: LeaseStore, namespace: string, round: number): Promise<Round> {
  const start = { url: database.url, namespace, groupCount: GROUPS, ttlMs: TTL_MS, heartbeatMs: HEARTBEAT_MS };
  const leader = new CrowdProcess({ ...start, memberId: 'leader' });
  const crowds = [leader];
  try {
    await leader.next('leads-all');
    const standby = new CrowdProcess({ ...start, memberId: 'standby' });
    crowds.push(standby);
    await standby.next('waits');
    const all = standby.next('leads-all');
    // It is awaited below, after what may fail first.
    all.catch(() => undefined);
    await leader.kill();
    // A heartbeat that is under way may still arrive.
    await pause(50);
    const expiresAtMs = await expiryByMachine(async () => (await store.read(['group-0']))[0]?.holder?.remainingMs ?? 0);
    const { atMs } = await all;
    await standby.kill();
    return { takeoverMs: atMs - expiresAtMs, updateMs: await timeUpdate(database, namespace, `update-${round}`) };
  } finally {
    await Promise.all(crowds.map((crowd) => crowd.kill()));
  }
}

async function timeUpdate(database: BenchDatabase, namespace: string, sessionId: string): Promise<number> {
  const bare = await database.openBare(1);
  try {
    const table = database.table(namespace, 'lease');
    // Connects, and reads the rows.
    await bare.query(`update ${table} set term = term where term < ?`, [0]);
    const timesMs: number[] = [];
    while (timesMs.length < UPDATES) {
      const startedAtMs = machineMs();
      const changed = await bare.query(`update ${table} set session_id = ?, term = term + 1 where term > 0`, [
        `${sessionId}-${timesMs.length}`,
      ]);
      timesMs.push(machineMs() - startedAtMs);
      if (changed !== GROUPS) throw new Error(`the bulk UPDATE has changed ${changed} rows and not ${GROUPS}`);
    }
    return distribution(timesMs).median;
  } finally {
    await bare.close();
  }
}

function row({ database, takeover: taken, update, ratio }: Line): Row {
  return {
    cells: [
      database,
      ...[taken.median, taken.max, update.median, update.max].map(figure),
      ratio.median.toFixed(2),
      `${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)}`,
    ],
    data: { database, takeover: taken, update, ratio },
    goal: atMost(GOAL, Number(ratio.median.toFixed(2))),
  };
}
