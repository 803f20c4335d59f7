import { readFileSync } from 'node:fs';
import type { Benchmark, BenchmarkContext } from '../benchmark.js';
import { distribution } from '../measure/distribution.js';
import { figure, type Row, type Table } from '../report/table.js';
import { LEFT_OUT, loadPeer, peerNames, type PeerName } from './index.js';
import { measurePeer, PEER_TTL_MS, type PeerFigures, type PeerPlan } from './measure-peer.js';
import type { OperationCost } from './messages.js';
import type { Peer } from './peer.js';
import { openPeerPlaces } from './peer-places.js';

/** Peers that are measured at the same time: they mostly wait. */
const AT_ONCE = 5;
/** What a quick run has time for, all at the same time. */
const QUICK: readonly PeerName[] = [
  'wb-postgres',
  'verrou-kysely-postgres',
  'advisory-lock',
  'wb-sqlite',
  'redlock',
  'redis-semaphore',
  'etcd',
];

const PACKAGES = [
  ...[
    '@verrou/core',
    'kysely',
    'knex',
    'advisory-lock',
    'proper-lockfile',
    '@sesamecare-oss/redlock',
    'redis-semaphore',
    'safe-redis-leader',
  ],
  ...['ioredis', 'etcd3'],
];

interface Measured {
  readonly peer: Peer;
  readonly label: string;
  readonly figures: PeerFigures;
}

/** This SDK beside what people use instead. */
export const peers: Benchmark = {
  name: 'peers',
  question: 'How does it compare with what people use instead?',
  run: async (context) => {
    const places = await openPeerPlaces(context.databases);
    try {
      const { measured, missing } = await measureAll(context, places);
      return {
        tables: [operationTable(measured), holdingTable(measured), failoverTable(measured)],
        chart: {
          kind: 'bars',
          title: `Time without a leader after a hand-over, TTL ${PEER_TTL_MS / 1_000} s (median; line: least to most)`,
          unit: 'ms',
          isLogarithmic: true,
          bars: measured.map(({ label, figures: { handOversMs } }) => {
            const { median, min, max } = distribution(handOversMs);
            return { label, value: median, low: min, high: max, series: label.startsWith('Warm Backup') ? 'Warm Backup' : 'others' };
          }),
        },
        notes: [
          ...places.notes,
          `Versions: ${PACKAGES.map((name) => `${name} ${versionOf(name)}`).join(', ')}.`,
          `All at the same TTL, ${PEER_TTL_MS} ms, each in processes of its own, with what else it needs at its defaults. "Calls" are statements, commands, or operations on files; a script of several statements in one message is one.`,
          'A holder of groups: what its process does in a second beyond one that holds nothing. Here a heartbeat keeps all of them, so that the cost is the same for one and for ten thousand.',
          'A crash is a SIGKILL at some moment; the floor of all that have a TTL is what is left of it.',
          ...[...differencesOf(measured)].map(([differences, name]) => `${name}: ${differences}`),
          ...missing,
          ...LEFT_OUT,
        ],
      };
    } finally {
      await places.stop();
    }
  },
};

/** What differs, once for each library. */
function differencesOf(measured: readonly Measured[]): ReadonlyMap<string, string> {
  const others = measured.filter(({ peer }) => peer.differences !== '');
  return new Map(others.map(({ peer: { name, differences } }) => [differences, name.split(',')[0]!]));
}

async function measureAll(
  { isQuick, progress }: BenchmarkContext,
  { urlOf, namespaceOf }: Awaited<ReturnType<typeof openPeerPlaces>>,
): Promise<{ readonly measured: readonly Measured[]; readonly missing: readonly string[] }> {
  const measured = new Map<PeerName, Measured>();
  const missing: string[] = [];
  const left = isQuick ? [...QUICK] : [...peerNames];
  const worker = async (): Promise<void> => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) {
      const peer = await loadPeer(name);
      const url = urlOf(peer.backing);
      if (url === null) continue;
      progress(name);
      const label = `${peer.name}, ${peer.backing}`;
      try {
        const place = { peer: name, url, namespace: namespaceOf(name) };
        measured.set(name, { peer, label, figures: await measurePeer(place, planOf(peer, isQuick)) });
      } catch (error) {
        missing.push(`${label} could not be measured: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: isQuick ? QUICK.length : AT_ONCE }, worker));
  return { measured: peerNames.flatMap((name) => measured.get(name) ?? []), missing };
}

function planOf({ maxGroups }: Peer, isQuick: boolean): PeerPlan {
  return isQuick
    ? { heldCount: Math.min(20, maxGroups), windowMs: 1_000, operationCount: 20, handOverCount: 1, crashCount: 1 }
    : { heldCount: Math.min(200, maxGroups), windowMs: 3_000, operationCount: 50, handOverCount: 5, crashCount: 3 };
}

function operationTable(measured: readonly Measured[]): Table {
  const cells = ({ samplesMs, callCount, cpuMs }: OperationCost): string[] => [
    figure(callCount / samplesMs.length),
    figure(distribution(samplesMs).median),
    figure((cpuMs / samplesMs.length) * 1_000),
  ];
  const columns = (name: string): string[] => [`${name}: calls`, 'p50 ms', 'CPU µs'];
  return {
    title: 'To acquire a free group, to look at one that is held (a refused attempt), to release',
    columns: ['', ...columns('acquire'), ...columns('look'), ...columns('release')],
    rows: measured.map(({ label, figures: { operations } }): Row => {
      const { acquire, look, release } = operations;
      return { cells: [label, ...cells(acquire), ...cells(look), ...cells(release)], data: { peer: label, operations } };
    }),
  };
}

function holdingTable(measured: readonly Measured[]): Table {
  return {
    title: 'To hold groups, and to wait for one',
    columns: [
      '',
      'groups held',
      'calls/s',
      'CPU ms/s',
      'calls/s a group',
      'CPU µs/s a group',
      'groups a core',
      'a standby: calls/s',
      'CPU ms/s',
    ],
    rows: measured.map(({ peer, label, figures: { nothing, holder, standby, heldCount } }): Row => {
      const calls = Math.max(0, holder.calls - nothing.calls);
      const cpuMs = Math.max(0, holder.cpuMs - nothing.cpuMs);
      const isFlat = peer.name === 'Warm Backup' || calls === 0;
      return {
        cells: [
          label,
          String(heldCount),
          ...[calls, cpuMs, calls / heldCount, (cpuMs * 1_000) / heldCount].map(figure),
          // Where nothing is done for each group, something else is the limit.
          isFlat ? (peer.name === 'Warm Backup' ? 'by memory: see scale' : 'by connections') : figure(heldCount / (cpuMs / 1_000)),
          ...[standby.calls, standby.cpuMs].map(figure),
        ],
        data: { peer: label, nothing, holder, standby, heldCount },
      };
    }),
  };
}

function failoverTable(measured: readonly Measured[]): Table {
  return {
    title: `Time without a leader, in ms, TTL ${PEER_TTL_MS} ms`,
    columns: ['', 'hand-over: runs', 'p50', 'max', 'crash: runs', 'p50', 'max'],
    rows: measured.map(({ label, figures: { handOversMs, crashesMs } }): Row => {
      const [handOver, crash] = [distribution(handOversMs), distribution(crashesMs)];
      return {
        cells: [label, ...[handOver, crash].flatMap(({ count, median, max }) => [String(count), figure(median), figure(max)])],
        data: { peer: label, handOver, crash },
      };
    }),
  };
}

/** Some packages do not export their `package.json`. */
function versionOf(name: string): string {
  const file = new URL(`../../node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string }).version;
}
