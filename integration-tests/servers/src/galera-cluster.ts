import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDockerCluster, type ClusterAddress, type ClusterNode, type DockerCluster } from './docker-cluster.js';

const IMAGE = 'mariadb:11.8';
const NODE_COUNT = 3;
/** How long a node may take until it is a part of the cluster again, in ms: it may need all data anew. */
const JOIN_LIMIT_MS = 90_000;
/** How long a server may take for one answer, in ms. */
const ANSWER_LIMIT_MS = 2_000;

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
    printf '%s;\\n' "create user root@'%' identified by 'pw'" "grant all on *.* to root@'%' with grant option" 'create database test' 'create table test.probe (node int primary key, turn int)' > /run/mysqld/init.sql
    first='--init-file=/run/mysqld/init.sql --wsrep-new-cluster'
  fi
fi
shift
exec mariadbd --no-defaults --user=mysql --datadir=$data --socket=/run/mysqld/mysqld.sock --bind-address=0.0.0.0 $first "$@"`;

/** Three MariaDB servers that all take writes. */
export interface GaleraCluster {
  readonly nodes: readonly GaleraNode[];
  /**
   * Resolves when all of them are in step, as members of one and the same view of the cluster, and have taken a write each. What one says of itself is not enough: a server that was away for
   * longer than the others wait believes at first that it is still with them, and they stand still once more when it notices, and while one of them hands it what it has missed.
   */
  untilWhole(): Promise<void>;
  stop(): Promise<void>;
}

/** One of them. */
export interface GaleraNode extends ClusterNode {
  /** Where it answers, to a superuser. */
  readonly url: string;
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
      return { ...node, url: `mysql://root:pw@127.0.0.1:${node.clientPort}/test` };
    });
    // The first one makes the cluster; while one is being given the data, it is best left alone.
    for (const [index, node] of nodes.entries()) {
      await node.start();
      await untilWhole(nodes.slice(0, index + 1));
    }
    return { nodes, untilWhole: () => untilWhole(nodes), stop: () => cluster.stop() };
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

async function untilWhole(nodes: readonly GaleraNode[]): Promise<void> {
  for (const endMs = Date.now() + JOIN_LIMIT_MS; ; await sleep(100)) {
    const problem = await problemOf(nodes);
    if (problem === null) return;
    if (Date.now() > endMs) {
      const said = await Promise.all(nodes.map(async (node) => `${node.index + 1}: ${await node.logs()}`));
      throw new Error(`the servers are not one cluster (${problem}). They said: ${said.join('\n')}`);
    }
  }
}

/** What keeps these from being all of the cluster, and from taking writes; `null`: nothing. */
async function problemOf(nodes: readonly GaleraNode[]): Promise<string | null> {
  try {
    const before = await viewOf(nodes);
    // A write goes through when all of the view have it; one that changes nothing would not be sent to them.
    await Promise.all(
      nodes.map(({ url, index }) => ask(url, `insert into probe values (${index}, 1) on duplicate key update turn = turn + 1`)),
    );
    const after = await viewOf(nodes);
    return before === after ? null : `their view went from ${before} to ${after}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The number of the view that all of these nodes have, and nobody else. */
async function viewOf(nodes: readonly GaleraNode[]): Promise<string> {
  const views = await Promise.all(
    nodes.map(async ({ url, index }) => {
      const rows = (await ask(url, "show status like 'wsrep_%'")) as (RowDataPacket & {
        readonly Variable_name: string;
        readonly Value: string;
      })[];
      const status = Object.fromEntries(rows.map((row) => [row.Variable_name, row.Value]));
      const state = `${status['wsrep_cluster_status']}, ${status['wsrep_local_state_comment']}, ${status['wsrep_cluster_size']} servers`;
      if (state !== `Primary, Synced, ${nodes.length} servers`) throw new Error(`server ${index + 1} is ${state}`);
      return status['wsrep_cluster_conf_id']!;
    }),
  );
  if (new Set(views).size !== 1) throw new Error(`their views are ${views.join(', ')}`);
  return views[0]!;
}

async function ask(url: string, sql: string): Promise<unknown> {
  const connection = await createConnection({ uri: url, connectTimeout: ANSWER_LIMIT_MS });
  connection.on('error', () => undefined);
  try {
    const [rows] = await connection.query({ sql, timeout: ANSWER_LIMIT_MS });
    return rows;
  } finally {
    connection.destroy();
  }
}
