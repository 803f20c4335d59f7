import { createDockerCluster, type ClusterNode, type DockerCluster } from '@wb/test-servers';
import { setTimeout as sleep } from 'node:timers/promises';
import { nowMs } from '../machine-time.js';
import { hasImage } from '../servers/docker-server.js';
import type { FaultTarget, ServerFault, TargetServer } from '../target.js';
import { PostgresAdmin } from './postgres-admin.js';
import { openPostgres } from './postgres-database.js';

const IMAGE = 'postgres:18';
const DATA = '/var/lib/postgresql/wb';
/** How long a standby may take until it has caught up, in ms. */
const JOIN_LIMIT_MS = 60_000;
/** A kill of the processes loses nothing that the machine's memory has: nothing is gained by waiting for a disk. */
const SETTINGS =
  "-c listen_addresses='*' -c max_connections=100 -c fsync=off -c shared_buffers=32MB -c max_wal_size=96MB -c wal_receiver_timeout=5s -c wal_sender_timeout=5s";

/** PostgreSQL with a synchronous standby: what was acknowledged is on both. Members have the addresses of both, and follow whichever takes writes. */
export const postgresPair: FaultTarget = {
  name: 'postgres-pair',
  open: openPostgres,
  start: async (): Promise<TargetServer | string> => {
    if (!hasImage(IMAGE)) return `there is no PostgreSQL with a standby: Docker does not run or has no image ${IMAGE}`;
    // The containers only stay; the servers in them come and go.
    const cluster = await createDockerCluster({
      image: IMAGE,
      port: 5432,
      count: 2,
      dataFolder: '/var/lib/postgresql',
      // A shell buries the processes that a kill leaves behind.
      command: () => ['bash', '-c', 'while :; do sleep 3600 & wait; done'],
    });
    try {
      const pair = await PostgresPair.start(cluster);
      const version = await pair.admin.untilReady();
      await pair.admin.makeLedger();
      return {
        title: `PostgreSQL ${version}, with a synchronous standby (Docker)`,
        endpoints: () => cluster.nodes.map(({ clientPort }) => ({ host: '127.0.0.1', port: clientPort })),
        url: (proxies) =>
          `postgres://postgres:pw@${proxies.map(({ host, port }) => `${host}:${port}`).join(',')}/postgres?target_session_attrs=read-write`,
        faults: pair.faults(),
        readLedger: () => pair.admin.readLedger(),
        readRuns: () => pair.admin.readRuns(),
        stop: () => cluster.stop(),
      };
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  },
};

/** Two servers, one of them the primary, with somebody who looks after them: of a dead primary he promotes the standby, and makes the old one its standby. */
class PostgresPair {
  /** Follows the primary. */
  readonly admin: PostgresAdmin;
  #primary: ClusterNode;
  #standby: ClusterNode;

  private constructor([primary, standby]: readonly ClusterNode[]) {
    this.#primary = primary!;
    this.#standby = standby!;
    this.admin = new PostgresAdmin(() => `postgres://postgres:pw@127.0.0.1:${this.#primary.clientPort}/postgres`);
  }

  static async start({ nodes }: DockerCluster): Promise<PostgresPair> {
    const pair = new PostgresPair(nodes);
    for (const node of nodes) {
      await node.start();
      await node.run(
        'root',
        'mkdir -p /run/postgresql /var/lib/postgresql && chown -R postgres:postgres /run/postgresql /var/lib/postgresql',
      );
    }
    await pair.#primary.run(
      'postgres',
      `initdb -D ${DATA} -U postgres --auth=trust >/dev/null && printf 'host all all all trust\\nhost replication all all trust\\n' >> ${DATA}/pg_hba.conf`,
    );
    await serve(pair.#primary);
    await pair.admin.untilReady();
    await pair.#addStandby();
    return pair;
  }

  faults(): ServerFault[] {
    return [
      this.#failover('primary killed, standby promoted', 'kill'),
      // It believes that it is the primary still when it wakes up: but nobody confirms what it commits.
      this.#failover('primary frozen, standby promoted, thawed', 'freeze'),
      {
        kind: 'standby killed',
        lastsTtls: [0, 1],
        inject: async () => {
          await this.#standby.run('postgres', 'kill -9 -1 || true').catch(() => undefined);
          // Until somebody decides that the primary is to go on alone, nothing commits.
          await sleep(300);
          await this.#confirmBy('');
          return async () => {
            await serve(this.#standby);
            await this.#untilCaughtUp();
          };
        },
      },
      {
        kind: 'primary restarted',
        lastsTtls: [0, 0],
        inject: async () => {
          await this.#primary.run('postgres', `pg_ctl -D ${DATA} -m fast -w stop >/dev/null`);
          await serve(this.#primary);
          await this.admin.untilReady();
          return () => this.#untilCaughtUp();
        },
      },
      {
        kind: 'standby paused',
        lastsTtls: [0.2, 1],
        inject: async () => {
          await this.#standby.pause();
          return async () => {
            await this.#standby.resume();
            await this.#untilCaughtUp();
          };
        },
      },
    ];
  }

  #failover(kind: string, how: 'kill' | 'freeze'): ServerFault {
    return {
      kind,
      lastsTtls: [0.2, 1.5],
      inject: async () => {
        const old = this.#primary;
        if (how === 'kill') await old.run('postgres', 'kill -9 -1 || true').catch(() => undefined);
        else await old.pause();
        await this.#standby.run('postgres', `pg_ctl -D ${DATA} -w promote >/dev/null`);
        [this.#primary, this.#standby] = [this.#standby, old];
        // It has nobody who could confirm until the other one is back.
        await this.#confirmBy('');
        await this.admin.untilReady();
        return async () => {
          if (how === 'freeze') {
            await old.resume();
            // For a moment there are two that take writes; the old one's are never acknowledged.
            await sleep(500);
            await old.run('postgres', 'kill -9 -1 || true').catch(() => undefined);
          }
          await this.#addStandby();
        };
      },
    };
  }

  /** Makes the other one a standby from scratch. */
  async #addStandby(): Promise<void> {
    const { peerHost } = this.#primary;
    await this.#standby.run(
      'postgres',
      `rm -rf ${DATA} && pg_basebackup -d 'host=${peerHost} user=postgres application_name=standby' -D ${DATA} -R -X stream -c fast`,
    );
    await serve(this.#standby);
    await this.#untilCaughtUp();
  }

  /** Resolves when what the primary commits is confirmed by the standby. */
  async #untilCaughtUp(): Promise<void> {
    await this.#untilReplicating(`state = 'streaming'`);
    await this.#confirmBy('*');
    // A reload is not done when it returns. A new connection that goes by the setting was begun after all of the server's processes had been told.
    await this.#untilReplicating(`sync_state in ('sync', 'quorum')`);
    await this.admin.untilReady();
  }

  async #untilReplicating(condition: string): Promise<void> {
    for (const endMs = nowMs() + JOIN_LIMIT_MS; ; await sleep(50)) {
      const [row] = await this.admin.query<{ state: string }>(`select state from pg_stat_replication where ${condition}`).catch(() => []);
      if (row !== undefined) return;
      if (nowMs() > endMs) throw new Error(`the standby did not catch up (${condition}). It said: ${await said(this.#standby)}`);
    }
  }

  /** Who has to confirm a commit: `'*'`, any standby; `''`, nobody. */
  async #confirmBy(names: '*' | ''): Promise<void> {
    // Not by SQL: that would itself have to be confirmed by a standby that may be gone.
    await this.#primary.run(
      'postgres',
      `sed -i '/^synchronous_standby_names/d' ${DATA}/postgresql.conf && echo "synchronous_standby_names = '${names}'" >> ${DATA}/postgresql.conf && pg_ctl -D ${DATA} reload >/dev/null`,
    );
  }
}

async function serve(node: ClusterNode): Promise<void> {
  // After a kill its lock files name a process that is gone.
  const start = `rm -f ${DATA}/postmaster.pid /run/postgresql/.s.PGSQL.*; pg_ctl -D ${DATA} -w -l ${DATA}.log -o "${SETTINGS}" start >/dev/null`;
  try {
    await node.run('postgres', start);
  } catch (error) {
    throw new Error(`a server did not start. It said: ${await said(node)}`, { cause: error });
  }
}

async function said(node: ClusterNode): Promise<string> {
  return await node.run('postgres', `tail -n 30 ${DATA}.log`);
}
