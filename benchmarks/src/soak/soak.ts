import type { Benchmark, BenchmarkContext } from '../benchmark.js';
import { CrowdProcess } from '../crowd/crowd-process.js';
import type { BenchDatabase } from '../databases/bench-database.js';
import { withTables } from '../databases/namespace.js';
import { pause } from '../measure/clock.js';
import { distribution } from '../measure/distribution.js';
import { figure, type Row } from '../report/table.js';

const GROUPS = 10_000;
const TTL_MS = 10_000;
const HEARTBEAT_MS = 1_000;
const MINUTES = 10;
const QUICK_MS = 3_000;
/** How often the heap is looked at. */
const LOOKS = 30;
const QUICK_LOOKS = 6;
/** Of the heap at the begin: what may be the noise of a collection. */
const GOAL = 0.01;

type Role = 'leading' | 'standing by';
const ROLES: readonly Role[] = ['leading', 'standing by'];

interface Measured {
  readonly database: string;
  readonly role: Role;
  readonly overMs: number;
  /** After a collection each, in the order of time. */
  readonly heaps: readonly number[];
  readonly first: number;
  readonly last: number;
}

/** Whether a process that goes on and on needs more and more memory. */
export const soak: Benchmark = {
  name: 'soak',
  question: 'Does a process need more memory, the longer it runs?',
  run: async (context) => {
    // One server and one file; they take turns in nothing, but mostly wait.
    const databases = context.databases.filter(({ name }) => name === 'postgres' || name === 'sqlite');
    const chosen = context.isQuick ? databases.slice(0, 1) : databases;
    const measured = (await Promise.all(chosen.map((database) => measure(database, context)))).flat();
    return {
      tables: [
        {
          title: `The heap of a process with ${GROUPS.toLocaleString('en-US')} groups and a heartbeat every ${HEARTBEAT_MS / 1_000} s`,
          columns: ['', 'over s', 'first third MB', 'last third MB', 'least', 'most', 'growth'],
          rows: measured.map(row),
        },
      ],
      chart: {
        kind: 'bars',
        title: 'Heap of a process over time',
        unit: 'MB',
        bars: measured.flatMap(({ database, role, heaps, overMs }) =>
          heaps.map((bytes, at) => ({
            label: `${database}, ${role}, ${Math.round((overMs * at) / (heaps.length - 1) / 1_000)} s`,
            value: bytes / 2 ** 20,
            series: `${database}, ${role}`,
          })),
        ),
      },
      notes: [
        'The real coordinator over a real store, in processes of their own; the heap after a collection. "Growth" is from the median of the first third to that of the last. A day of virtual time is a test of `@wb/core`.',
      ],
    };
  },
};

async function measure(database: BenchDatabase, { isQuick, soakMinutes, progress }: BenchmarkContext): Promise<readonly Measured[]> {
  return await withTables(database, 1, async (_store, namespace) => {
    const start = { url: database.url, namespace, groupCount: GROUPS, ttlMs: TTL_MS, heartbeatMs: HEARTBEAT_MS };
    const leader = new CrowdProcess({ ...start, memberId: 'leader' });
    const crowds = [leader];
    try {
      await leader.next('leads-all');
      const standby = new CrowdProcess({ ...start, memberId: 'standby' });
      crowds.push(standby);
      await standby.next('waits');
      await pause(3 * HEARTBEAT_MS);
      const overMs = soakMinutes === null ? (isQuick ? QUICK_MS : MINUTES * 60_000) : soakMinutes * 60_000;
      const looks = isQuick ? QUICK_LOOKS : LOOKS;
      const heaps: number[][] = crowds.map(() => []);
      for (let look = 0; look < looks; look += 1) {
        if (look > 0) await pause(overMs / (looks - 1));
        progress(`${database.name}, ${look + 1} of ${looks}`);
        for (const [at, crowd] of crowds.entries()) heaps[at]!.push((await crowd.usage()).heapBytes);
      }
      const third = Math.floor(looks / 3);
      return ROLES.map((role, at) => ({
        database: database.name,
        role,
        overMs,
        heaps: heaps[at]!,
        first: distribution(heaps[at]!.slice(0, third)).median,
        last: distribution(heaps[at]!.slice(-third)).median,
      }));
    } finally {
      await Promise.all(crowds.map((crowd) => crowd.kill()));
    }
  });
}

function row(measured: Measured): Row {
  const { database, role, overMs, heaps, first, last } = measured;
  const growth = (last - first) / first;
  const { min, max } = distribution(heaps);
  return {
    cells: [
      `${database}, ${role}`,
      String(Math.round(overMs / 1_000)),
      ...[first, last, min, max].map((bytes) => figure(bytes / 2 ** 20)),
      `${(growth * 100).toFixed(2)} %`,
    ],
    data: { ...measured, growth },
    goal: { text: `≤ ${GOAL * 100} %`, isMet: growth <= GOAL },
  };
}
