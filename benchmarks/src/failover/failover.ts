import type { Benchmark, BenchmarkContext } from '../benchmark.js';
import type { BenchDatabase } from '../databases/bench-database.js';
import { withTables } from '../databases/namespace.js';
import { distribution } from '../measure/distribution.js';
import type { Bar } from '../report/bar-chart.js';
import { figure, p99AtMost, verdict, type Goal, type Row } from '../report/table.js';
import { HEARTBEAT_MS, TTL_MS, type FailoverLine } from './failover-line.js';
import { withHandWritten } from './hand-written-team.js';
import { measureRestarts } from './restarts.js';
import { Supervised } from './supervised.js';
import { Team, type Failover } from './team.js';

const RUNS = 50;
/** The longest that a takeover may take beyond what cannot be helped, in ms. */
const CRASH_MS = 10;

const CRASH_GOAL: FailoverLine['goals'] = { p99Ms: TTL_MS + CRASH_MS, text: `≤ TTL + ${CRASH_MS} p99` };

/** How long nobody leads: after a hand-over, a crash, a freeze, the end of a supervised program, and a restart of the server. */
export const failover: Benchmark = {
  name: 'failover',
  question: 'How long does nobody lead?',
  findings: [
    'a hand-over on PostgreSQL is two commits, as by hand, and 3 to 5 ms more: in traces 1.3 ms for the claim and half a millisecond for the release, whose statements write the session and the record of terms, too; and 1.4 ms of code that runs once in a while, and is never compiled.',
    'on MySQL and MariaDB the release is 10 ms, of several statements and a commit with two logs; the standby learns of it up to 20 ms later, and a claim is 6 to 10 ms.',
    'after a crash a standby claims at the expiry, give or take 2 ms, by the whole milliseconds of the clocks and of the timer; 0.6 ms pass from the grant until the work begins. In between is the claim, and of the slowest nearly all: on PostgreSQL 6 ms in the middle, 8 to 11 in the slowest, where one that follows another takes 1. Its statement finds cold caches, and if a heartbeat is under way it takes a connection more, that has to be opened, and to plan it.',
  ],
  run: async (context) => {
    const lines: FailoverLine[] = [];
    // One after the other, so that they do not disturb each other: a quick run has time for one.
    for (const database of context.isQuick ? context.databases.slice(0, 1) : context.databases) {
      lines.push(...(await measure(database, context)), ...(await measureRestarts(database.name, context)));
    }
    return {
      tables: [
        {
          title: 'Time without a leader, in ms',
          columns: ['', 'runs', 'p50', 'p90', 'p99', 'max', 'p50 over the floor', 'p99', `≤ ${CRASH_MS} over it, p99`],
          rows: lines.map(row),
        },
      ],
      chart: {
        kind: 'bars',
        title: 'Time without a leader, beyond the floor where there is one (median; line: to p99)',
        unit: 'ms',
        bars: lines.map(bar),
      },
      notes: [
        `TTL ${TTL_MS} ms, a heartbeat every ${HEARTBEAT_MS} ms, two processes. The floor is what nobody can be faster than. After a crash or a freeze: the expiry of the lease by the database, TTL − (time since its last heartbeat), since a leader that lives might still be working. After a restart of the server (SIGKILL, and started again): its first answer. Of \`wb run\`: what it takes to start the command.`,
        "Hand-over: from the end of the old leader's work to the begin of the new one's. `wb run`: from the kill of the command to the begin of the command elsewhere.",
        '"by hand" is the yardstick: SQL for one row that wakes at expiry and on NOTIFY, without sessions, terms, deadlines or recovery. The two take turns, run by run.',
      ],
    };
  },
};

async function measure(database: BenchDatabase, context: BenchmarkContext): Promise<readonly FailoverLine[]> {
  return await withTables(database, 2, async (store, namespace) => {
    const timings = { url: database.url, namespace, ttlMs: TTL_MS, heartbeatMs: HEARTBEAT_MS };
    const remainingMs = async (): Promise<number> => (await store.read(['group']))[0]?.holder?.remainingMs ?? 0;
    const team = await Team.start({ kind: 'wb', ...timings, remainingMs });
    try {
      const lines =
        database.name === 'postgres'
          ? await withHandWritten(database, timings, (byHand) => takeTurns(database.name, [team, byHand], context))
          : await takeTurns(database.name, [team], context);
      return [...lines, await measureSupervised(database, `${namespace.slice(0, -1)}s_`, context)];
    } finally {
      await team.end();
    }
  });
}

/** The first team is ours. */
async function takeTurns(
  database: string,
  teams: readonly Team[],
  { isQuick, runs, progress }: BenchmarkContext,
): Promise<readonly FailoverLine[]> {
  const handOver = database === 'postgres' ? { p50Ms: 5, p99Ms: 10, text: '≤ 5 p50, ≤ 10 p99' } : { p99Ms: 50, text: '≤ 50 p99' };
  const lines: FailoverLine[] = [];
  for (const [what, once, goals] of [
    ['hand-over', (team: Team) => team.handOver(), handOver],
    ['SIGKILL', (team: Team) => team.kill(), CRASH_GOAL],
    ['SIGSTOP', (team: Team) => team.freeze(), CRASH_GOAL],
  ] as const) {
    const count = runs ?? (isQuick ? (what === 'hand-over' ? 2 : 1) : RUNS);
    const failovers = teams.map((): Failover[] => []);
    for (let run = 0; run < count; run += 1) {
      progress(`${database}: ${what}, ${run + 1} of ${count}`);
      for (const [at, team] of teams.entries()) failovers[at]!.push(await once(team));
    }
    for (const [at, each] of failovers.entries()) {
      const isOurs = at === 0;
      lines.push({
        ...{ database, what: isOurs ? what : `${what}, by hand`, failovers: each, goals: isOurs ? goals : undefined },
        overFloorP99Ms: what === 'hand-over' ? undefined : CRASH_MS,
      });
    }
  }
  return lines;
}

async function measureSupervised(
  database: BenchDatabase,
  namespace: string,
  { isQuick, runs, progress }: BenchmarkContext,
): Promise<FailoverLine> {
  const count = runs ?? (isQuick ? 1 : RUNS);
  const supervised = await Supervised.start(database.url, namespace, TTL_MS);
  try {
    const failovers: Failover[] = [];
    while (failovers.length < count) {
      progress(`${database.name}: wb run, ${failovers.length + 1} of ${count}`);
      const floorMs = await Supervised.startOnly();
      const sinceEndMs = await supervised.crash();
      failovers.push({ sinceEndMs, sinceFloorMs: sinceEndMs - floorMs });
    }
    return { database: database.name, what: 'crash of a program under `wb run`', failovers, goals: CRASH_GOAL };
  } finally {
    await supervised.end();
    await database.drop(namespace);
  }
}

function beyondFloor({ failovers }: FailoverLine): readonly number[] {
  return failovers.flatMap(({ sinceFloorMs }) => sinceFloorMs ?? []);
}

function row(line: FailoverLine): Row {
  const { database, what, failovers } = line;
  const all = distribution(failovers.map(({ sinceEndMs }) => sinceEndMs));
  const late = beyondFloor(line);
  const over = late.length === 0 ? null : distribution(late);
  const cells = [
    `${database}, ${what}`,
    String(all.count),
    ...[all.median, all.p90, all.p99, all.max].map(figure),
    ...(over === null ? ['', ''] : [over.median, over.p99].map(figure)),
    over === null || line.overFloorP99Ms === undefined ? '' : verdict(p99AtMost(line.overFloorP99Ms, over, '')),
  ];
  return { cells, data: { database, what, sinceEnd: all, sinceFloor: over }, goal: goal(line.goals, all) };
}

function goal(goals: FailoverLine['goals'], measured: ReturnType<typeof distribution>): Goal | undefined {
  if (goals === undefined) return undefined;
  const { p50Ms = Infinity, p99Ms, text } = goals;
  const atP99 = p99AtMost(p99Ms, measured, text);
  return measured.median > p50Ms ? { text, isMet: false } : atP99;
}

function bar(line: FailoverLine): Bar {
  const late = beyondFloor(line);
  const { min, median, p99 } = distribution(late.length > 0 ? late : line.failovers.map(({ sinceEndMs }) => sinceEndMs));
  return { label: `${line.database}, ${line.what}`, value: Math.max(0, median), low: Math.max(0, min), high: p99, series: line.database };
}
