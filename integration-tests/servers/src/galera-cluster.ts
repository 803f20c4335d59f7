import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDockerCluster, type ClusterAddress, type ClusterNode, type DockerCluster } from './docker-cluster.js';

const IMAGE = 'mariadb:11.8';
const NODE_COUNT = 3;
/** How long a node may take until it is a part of the cluster again, in ms: it may need all data anew. */
const JOIN_LIMIT_MS = 90_000;

/** A lost node is noticed after a second or two, not five: until then the others wait with what they would commit. */
const DETECTION =
  'evs.keepalive_period=PT0.3S;evs.inactive_check_period=PT0.3S;evs.suspect_timeout=PT1.5S;evs.inactive_timeout=PT4S;gcache.size=64M';

/** Makes the data folder, and the cluster with the first node; all others, and the first when it comes back, join. */
const ENTER = `set -e
data=/var/lib/mysql; first=
mkdir -p $data /run/mysqld; chown -R mysql:mysql $data /run/mysqld
if [ ! -d $data/mysql ]; then
  mariadb-install-db --no-defaults --user=mysql --datadir=$data --skip-test-db --auth-root-authentication-method=normal >/dev/null
  if [ "$1" = 0 ]; then
    printf '%s;\\n' "create user root@'%' identified by 'pw'" "grant all on *.* to root@'%' with grant option" 'create database test' > /run/mysqld/init.sql
    first='--init-file=/run/mysqld/init.sql --wsrep-new-cluster'
  fi
fi
shift
exec mariadbd --no-defaults --user=mysql --datadir=$data --socket=/run/mysqld/mysqld.sock --bind-address=0.0.0.0 $first "$@"`;

/** Three MariaDB servers that all take writes. */
export interface GaleraCluster {
  readonly nodes: readonly GaleraNode[];
  stop(): Promise<void>;
}

/** One of them. */
export interface GaleraNode extends ClusterNode {
  /** Where it answers, to a superuser. */
  readonly url: string;
  /** Resolves when it is in step with all others. */
  untilSynced(): Promise<void>;
}

/** Starts a Galera cluster in Docker; a string says why there is none. */
export async function startGaleraCluster(): Promise<GaleraCluster | string> {
  if (spawnSync('docker', ['image', 'inspect', IMAGE], { stdio: 'ignore', timeout: 10_000 }).status !== 0) {
    return `there is no Galera cluster: Docker does not run or has no image ${IMAGE}`;
  }
  const cluster: DockerCluster = await createDockerCluster({
    image: IMAGE,
    port: 3306,
    count: NODE_COUNT,
    dataFolder: '/var/lib/mysql',
    command,
  });
  try {
    const nodes = cluster.nodes.map((node): GaleraNode => {
      const url = `mysql://root:pw@127.0.0.1:${node.clientPort}/test`;
      return { ...node, url, untilSynced: () => untilSynced(node, url, NODE_COUNT) };
    });
    // The first one makes the cluster; while one is being given the data, it is best left alone.
    for (const [index, node] of nodes.entries()) {
      await node.start();
      await untilSynced(node, node.url, index + 1);
    }
    return { nodes, stop: () => cluster.stop() };
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

function command(node: ClusterAddress, all: readonly ClusterAddress[]): readonly string[] {
  return [
    ...['bash', '-c', ENTER, 'enter', String(node.index)],
    // All clients come from one host, which a server would lock out after a hundred connections that broke off before they were open.
    '--max-connect-errors=1000000',
    ...['--max-connections=100', '--innodb-buffer-pool-size=64M', '--innodb-log-file-size=32M', '--innodb-flush-log-at-trx-commit=0'],
    ...['--binlog-format=ROW', '--default-storage-engine=InnoDB', '--innodb-autoinc-lock-mode=2'],
    ...['--wsrep-on=ON', '--wsrep-provider=/usr/lib/galera/libgalera_smm.so', '--wsrep-sst-method=rsync', '--wsrep-cluster-name=wb'],
    `--wsrep-cluster-address=gcomm://${all.map(({ peerHost }) => peerHost).join(',')}`,
    `--wsrep-node-address=${node.peerHost}`,
    `--wsrep-provider-options=${DETECTION}`,
  ];
}

/** Resolves when the node is in step with a cluster of at least this size. */
async function untilSynced(node: ClusterNode, url: string, size: number): Promise<void> {
  for (const endMs = Date.now() + JOIN_LIMIT_MS; ; await sleep(100)) {
    try {
      const status = await statusOf(url);
      if (
        status['wsrep_ready'] === 'ON' &&
        status['wsrep_local_state_comment'] === 'Synced' &&
        Number(status['wsrep_cluster_size']) >= size
      )
        return;
      if (Date.now() > endMs) throw new Error(JSON.stringify(status));
    } catch (error) {
      if (Date.now() > endMs)
        throw new Error(`server ${node.index + 1} did not join (${String(error)}). It said: ${await node.logs()}`, { cause: error });
    }
  }
}

async function statusOf(url: string): Promise<Record<string, string>> {
  const connection = await createConnection({ uri: url, connectTimeout: 2_000 });
  connection.on('error', () => undefined);
  try {
    const [rows] = await connection.query<(RowDataPacket & { readonly Variable_name: string; readonly Value: string })[]>({
      sql: "show status where Variable_name in ('wsrep_ready', 'wsrep_local_state_comment', 'wsrep_cluster_size')",
      timeout: 2_000,
    });
    return Object.fromEntries(rows.map((row) => [row.Variable_name, row.Value]));
  } finally {
    connection.destroy();
  }
}
