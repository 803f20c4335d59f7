import type { Benchmark, BenchmarkContext } from '../benchmark.js';
import type { BenchDatabase } from '../databases/bench-database.js';
import { withTables } from '../databases/namespace.js';
import { openSession } from '../databases/open-lease.js';
import { serverCpuMs } from '../databases/server-cpu.js';
import { cpuMs, nowMs } from '../measure/clock.js';
import { busyShare, machineTime } from '../measure/machine-busy.js';
import { distribution, type Distribution } from '../measure/distribution.js';
import { figure, type Row } from '../report/table.js';
import { atSteadyRate } from './steady-rate.js';

const PROCESS_COUNTS = [1, 10, 50, 100, 200, 500, 1_000, 2_000, 4_000, 8_000] as const;
const QUICK_PROCESS_COUNTS = [200, 1_000] as const;
const HEARTBEAT_MS = 1_000;
const MAX_CONNECTIONS = 40;
/** What is done of what is wanted: below it is the knee. */
const KEEPS_UP = 0.95;
/** Of the machine: above it the processor is what limits. */
const BUSY = 0.9;
/** Fewer say nothing about the slowest of a hundred. */
const MIN_SAMPLES = 20;
/** Of fewer heartbeats in a second a server that does other things, too, says nothing. */
const MIN_RATE = 100;

interface Measured {
  readonly database: string;
  readonly processCount: number;
  readonly latency: Distribution;
  readonly ratePerSecond: number;
  /** Of one core. */
  readonly clientShare: number;
  readonly serverShare: number | null;
  /** Of the whole machine, whoever used it. */
  readonly machineShare: number;
  readonly isPastKnee: boolean;
}

/** Many processes on one server. */
export const processes: Benchmark = {
  name: 'processes',
  question: 'How many processes does one server bear?',
  run: async (context) => {
    // One writer at a time, in the process itself: SQLite has no server to be borne by.
    const databases = context.databases.filter(({ name }) => name !== 'sqlite');
    const measured: Measured[] = [];
    for (const database of context.isQuick ? databases.slice(0, 1) : databases) measured.push(...(await measure(database, context)));
    return {
      tables: [
        {
          title: `Processes that stand by, each with a heartbeat every ${HEARTBEAT_MS / 1_000} s`,
          columns: [
            'processes',
            'heartbeats/s',
            'p50 ms',
            'p99',
            'server, of a core',
            'server µs a heartbeat',
            'clients, of a core',
            'machine busy',
            '',
          ],
          rows: measured.map(row),
        },
      ],
      chart: {
        kind: 'bars',
        title: 'Heartbeat p99, by the number of processes on one server',
        unit: 'ms',
        isLogarithmic: true,
        bars: measured.map(({ database, processCount, latency }) => ({
          label: `${database}, ${processCount.toLocaleString('en-US')}`,
          value: latency.p99,
          series: database,
        })),
      },
      notes: [
        `Sessions, on at most ${MAX_CONNECTIONS} connections of one process: a server that has thousands of connections pays for those, too. Each heartbeat also asks about the leader that all wait for. Heartbeats come at a steady rate, and the time of each counts from when it was due.`,
        `The knee is where less than ${KEEPS_UP * 100} % is done in time; nothing is measured beyond it. The clients take their processor time from the same cores, and so does whatever else runs on the machine.`,
        'The processor time of the server is that of its container; without one it is not known. It includes whatever else the server does.',
      ],
    };
  },
};

async function measure(database: BenchDatabase, { isQuick, progress }: BenchmarkContext): Promise<readonly Measured[]> {
  const connections = Math.min(MAX_CONNECTIONS, database.maxConnections);
  return await withTables(database, connections, async (store) => {
    const leader = await openSession(store);
    const sessionIds: string[] = [];
    const measured: Measured[] = [];
    for (const processCount of isQuick ? QUICK_PROCESS_COUNTS : PROCESS_COUNTS) {
      progress(`${database.name}, ${processCount} processes`);
      while (sessionIds.length < processCount) {
        const some = Math.min(connections, processCount - sessionIds.length);
        sessionIds.push(...(await Promise.all(Array.from({ length: some }, () => openSession(store)))));
      }
      const windowMs = isQuick ? 1_000 : 5_000;
      let at = 0;
      const beat = async (): Promise<void> => {
        const sessionId = sessionIds[at++ % processCount]!;
        const result = await store.heartbeat({ sessionId, holders: [leader] });
        if (!result.alive) throw new Error('a session is dead');
      };
      await atSteadyRate(processCount, HEARTBEAT_MS, windowMs / 2, beat);
      const before = { client: cpuMs(), server: await serverCpuMs(database.url), atMs: nowMs(), machine: machineTime() };
      const { samplesMs, elapsedMs } = await atSteadyRate(processCount, HEARTBEAT_MS, windowMs, beat);
      const machineShare = busyShare(before.machine, machineTime());
      const after = { client: cpuMs(), server: await serverCpuMs(database.url), atMs: nowMs() };
      const spanMs = after.atMs - before.atMs;
      const isPastKnee = windowMs / elapsedMs < KEEPS_UP;
      measured.push({
        database: database.name,
        processCount,
        latency: distribution(samplesMs),
        ratePerSecond: (samplesMs.length * 1_000) / Math.max(elapsedMs, windowMs),
        clientShare: (after.client - before.client) / spanMs,
        serverShare: before.server === null || after.server === null ? null : (after.server - before.server) / spanMs,
        machineShare,
        isPastKnee,
      });
      if (isPastKnee) break;
    }
    return measured;
  });
}

function row(measured: Measured): Row {
  const { database, processCount, latency, ratePerSecond, clientShare, serverShare, machineShare, isPastKnee } = measured;
  const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
  return {
    cells: [
      `${database}, ${processCount.toLocaleString('en-US')}`,
      figure(ratePerSecond),
      figure(latency.median),
      latency.count < MIN_SAMPLES ? '' : figure(latency.p99),
      serverShare === null ? '' : percent(serverShare),
      serverShare === null || ratePerSecond < MIN_RATE ? '' : figure((serverShare / ratePerSecond) * 1_000_000),
      percent(clientShare),
      percent(machineShare),
      isPastKnee ? `the knee: ${limitOf(measured)}` : '',
    ],
    data: { ...measured },
  };
}

function limitOf({ machineShare }: Measured): string {
  return machineShare > BUSY ? 'the processor' : 'waiting, for the flush of the log or for a connection';
}
