import type { Peer } from './peer.js';

/** Every peer by a name of its own, this SDK among them, in the order of the tables. Loaded when it is asked for. */
const peers = {
  'wb-postgres': async () => (await import('./warm-backup.js')).warmBackup('postgres'),
  'verrou-kysely-postgres': async () => (await import('./verrou.js')).verrou('postgres', 'kysely'),
  'verrou-knex-postgres': async () => (await import('./verrou.js')).verrou('postgres', 'knex'),
  'advisory-lock': async () => (await import('./advisory-lock.js')).advisoryLock,
  'wb-mysql': async () => (await import('./warm-backup.js')).warmBackup('mysql'),
  'verrou-kysely-mysql': async () => (await import('./verrou.js')).verrou('mysql', 'kysely'),
  'verrou-knex-mysql': async () => (await import('./verrou.js')).verrou('mysql', 'knex'),
  'wb-sqlite': async () => (await import('./warm-backup.js')).warmBackup('sqlite'),
  'verrou-kysely-sqlite': async () => (await import('./verrou.js')).verrou('sqlite', 'kysely'),
  'verrou-knex-sqlite': async () => (await import('./verrou.js')).verrou('sqlite', 'knex'),
  'proper-lockfile': async () => (await import('./proper-lockfile.js')).properLockfile,
  redlock: async () => (await import('./redis-peers.js')).redlock,
  'redis-semaphore': async () => (await import('./redis-peers.js')).redisSemaphore,
  'safe-redis-leader': async () => (await import('./redis-peers.js')).safeRedisLeaderPeer,
  etcd: async () => (await import('./etcd-election.js')).etcdElection,
} satisfies Readonly<Record<string, () => Promise<Peer>>>;

export type PeerName = keyof typeof peers;

export const peerNames: readonly PeerName[] = Object.keys(peers) as PeerName[];

export async function loadPeer(name: PeerName): Promise<Peer> {
  return await peers[name]();
}

/** What of the list was to be compared with, and why it is not. */
export const LEFT_OUT: readonly string[] = [
  'syncguard: the registry has no package of that name.',
  'pg-boss (12) and graphile-worker (0.18) need Node 22. Their cron has no leader that could fail over: for each due time each process tries one conditional write, and whoever wins makes the job. Of this SDK `@wb/schedule` is what compares with that.',
  "Effect's cluster (`SqlRunnerStorage`): eight packages that have to be pinned together, for a part of a running cluster. By reading: it is built as this SDK is, one statement for all 300 shards of a process, every 10 s, by the database's clock; on PostgreSQL advisory locks of one connection, or rows that expire after 35 s, in whole seconds. No term for each shard, and no push: another process gets a shard with its next attempt.",
];
