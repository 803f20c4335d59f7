import type { Benchmark, BenchmarkContext, BenchmarkResult } from '../benchmark.js';
import { CrowdProcess } from '../crowd/crowd-process.js';
import type { Usage } from '../crowd/messages.js';
import type { BenchDatabase } from '../databases/bench-database.js';
import { withTables } from '../databases/namespace.js';
import { pause } from '../measure/clock.js';
import { figure, type Goal, type Row } from '../report/table.js';

const GROUP_COUNTS = [1, 10, 100, 1_000, 10_000, 100_000] as const;
const QUICK_GROUP_COUNTS = [1, 10_000] as const;
const HEARTBEAT_MS = 1_000;
const TTL_MS = 10_000;
/** Calls a second: a heartbeat, and now and then one more. */
const MAX_RATE = 1.2;
const MAX_BYTES = 1_024;
const MAX_PROCESSOR_SHARE = 0.02;

type Role = 'leading' | 'standing by' | 'leading, each work listens to its signal';
/** From here on it matters how much a signal weighs. */
const SIGNALS_FROM = 10_000;

interface Measured {
  readonly database: string;
  readonly role: Role;
  readonly groupCount: number;
  readonly callsPerSecond: number;
  readonly bytesPerSecond: number;
  /** Of one core. */
  readonly processorShare: number;
  readonly heapBytes: number;
}

/** What one process costs, however many groups it has. */
export const scale: Benchmark = {
  name: 'scale',
  question: 'How does the cost of a process grow with its groups?',
  findings: ['a group whose work listens to its `signal` has an AbortSignal of Node, which weighs 0.9 to 1.2 KB.'],
  run: async (context) => {
    // One server and one file: what a process does does not depend on which.
    const databases = context.databases.filter(({ name }) => name === 'postgres' || name === 'sqlite');
    const settings = (context.isQuick ? databases.slice(0, 1) : databases).flatMap((database) =>
      (context.isQuick ? QUICK_GROUP_COUNTS : GROUP_COUNTS).flatMap((groupCount) => [
        { database, groupCount, withStandby: true },
        ...(groupCount >= SIGNALS_FROM ? [{ database, groupCount, withStandby: false }] : []),
      ]),
    );
    // They mostly wait: a quick run measures them at the same time.
    const atOnce = context.isQuick ? settings.length : 1;
    const measured: Measured[] = [];
    for (let at = 0; at < settings.length; at += atOnce) {
      const some = settings.slice(at, at + atOnce);
      context.progress(some.map(({ database, groupCount }) => `${database.name}, ${groupCount} groups`).join('; '));
      measured.push(...(await Promise.all(some.map((setting) => measure(setting, context)))).flat());
    }
    return report(measured);
  },
};

/** What is measured: one leader with `groupCount` groups, and one standby of it. Without a standby the works of the leader listen to their signals. */
interface Setting {
  readonly database: BenchDatabase;
  readonly groupCount: number;
  readonly withStandby: boolean;
}

async function measure({ database, groupCount, withStandby }: Setting, { isQuick }: BenchmarkContext): Promise<readonly Measured[]> {
  return await withTables(database, 1, async (_store, namespace) => {
    const start = { url: database.url, namespace, groupCount, ttlMs: TTL_MS, heartbeatMs: HEARTBEAT_MS, readsSignal: !withStandby };
    const leader = new CrowdProcess({ ...start, memberId: 'leader' });
    const crowds: CrowdProcess[] = [leader];
    try {
      await leader.next('leads-all');
      if (withStandby) {
        const standby = new CrowdProcess({ ...start, memberId: 'standby' });
        crowds.push(standby);
        await standby.next('waits');
      }
      // Until who contends is written down, and everything is quiet.
      await pause((isQuick ? 1.5 : 3) * HEARTBEAT_MS);
      const before = await Promise.all(crowds.map((crowd) => crowd.usage()));
      await pause(isQuick ? 2_600 : 20_000);
      const after = await Promise.all(crowds.map((crowd) => crowd.usage()));
      const roles: readonly Role[] = withStandby ? ['leading', 'standing by'] : ['leading, each work listens to its signal'];
      return roles.map((role, at) => ({ database: database.name, role, groupCount, ...between(before[at]!, after[at]!) }));
    } finally {
      await Promise.all(crowds.map((crowd) => crowd.kill()));
    }
  });
}

function between(before: Usage, after: Usage): Omit<Measured, 'database' | 'role' | 'groupCount'> {
  const seconds = (after.atMs - before.atMs) / 1_000;
  const count = ({ calls }: Usage): number => Object.values(calls).reduce((sum, each) => sum + each, 0);
  return {
    callsPerSecond: (count(after) - count(before)) / seconds,
    bytesPerSecond: (after.bytes - before.bytes) / seconds,
    processorShare: (after.cpuMs - before.cpuMs) / 1_000 / seconds,
    heapBytes: after.heapBytes,
  };
}

function report(measured: readonly Measured[]): BenchmarkResult {
  const perGroup = ({ database, role, groupCount, heapBytes }: Measured): number | null => {
    if (groupCount < 1_000) return null;
    const like = role === 'standing by' ? role : 'leading';
    const least = measured.find((each) => each.database === database && each.role === like && each.groupCount === 1);
    return least === undefined ? null : (heapBytes - least.heapBytes) / (groupCount - 1);
  };
  const rows = measured.map((each): Row => {
    const { database, role, groupCount, callsPerSecond, bytesPerSecond, processorShare, heapBytes } = each;
    const bytes = perGroup(each);
    return {
      cells: [
        `${database}, ${role}, ${groupCount.toLocaleString('en-US')}`,
        callsPerSecond.toFixed(2),
        figure(bytesPerSecond),
        `${(processorShare * 100).toFixed(2)} %`,
        figure(heapBytes / 2 ** 20),
        bytes === null ? '' : figure(bytes),
      ],
      data: { ...each, heapBytesPerGroup: bytes },
      goal: goal(each, bytes),
    };
  });
  return {
    tables: [
      {
        title: `One process with a heartbeat every ${HEARTBEAT_MS / 1_000} s`,
        columns: ['groups', 'calls/s', 'bytes/s', 'of a core', 'heap MB', 'bytes a group'],
        rows,
      },
    ],
    chart: {
      kind: 'bars',
      title: 'Heap of a process, by its groups',
      unit: 'MB',
      bars: measured.map(({ database, role, groupCount, heapBytes }) => ({
        label: `${database}, ${role}, ${groupCount.toLocaleString('en-US')}`,
        value: heapBytes / 2 ** 20,
        series: role,
      })),
      isLogarithmic: true,
    },
    notes: [
      'Calls of the store: on PostgreSQL each is one statement and one round trip. Bytes are those of all sockets, both ways; a file has none.',
      'The heap is that of the whole process after a collection. "Bytes a group" is the growth over one group. A work that reads its `signal` and listens to it adds the 1.2 KB of an AbortSignal of Node; the others read nothing of their context.',
      'The processor time leaves out the collections before each look at the heap.',
    ],
  };
}

function goal({ groupCount, callsPerSecond, processorShare }: Measured, bytesPerGroup: number | null): Goal {
  const isFlat = callsPerSecond <= MAX_RATE;
  if (bytesPerGroup === null) return { text: `≤ ${MAX_RATE} calls/s`, isMet: isFlat };
  const isSmall = bytesPerGroup < MAX_BYTES;
  if (groupCount !== 10_000) return { text: `≤ ${MAX_RATE} calls/s, < 1 KB`, isMet: isFlat && isSmall };
  return { text: `≤ ${MAX_RATE} calls/s, < 1 KB, < 2 %`, isMet: isFlat && isSmall && processorShare < MAX_PROCESSOR_SHARE };
}
