import { startPrivateServer } from '@wb/faults/servers';
import type { LeaseStore } from '@wb/core';
import type { BenchmarkContext } from '../benchmark.js';
import { openStore } from '../databases/open-store.js';
import { pause } from '../measure/clock.js';
import { HEARTBEAT_MS, TTL_MS, type FailoverLine } from './failover-line.js';
import { machineMs } from './messages.js';
import { Team, type Failover } from './team.js';

const NAMESPACE = 'bench_restart_';
const RUNS = 50;

/** How long nobody leads when the server is killed and started again. SQLite has none. */
export async function measureRestarts(name: string, { isQuick, runs, progress }: BenchmarkContext): Promise<readonly FailoverLine[]> {
  if (name !== 'postgres' && name !== 'mysql' && name !== 'mariadb') return [];
  // To start one more server takes longer than a quick run has.
  if (isQuick && name !== 'postgres') return [];
  const count = runs ?? (isQuick ? 1 : RUNS);
  const server = await startPrivateServer(name);
  if (typeof server === 'string') return [];
  const store = openStore(server.url, NAMESPACE, 1);
  let team: Team | null = null;
  try {
    progress(`${name}: starting a server to restart`);
    await untilAnswer(store);
    await store.migrate();
    team = await Team.start({
      ...{ kind: 'wb', url: server.url, namespace: NAMESPACE, ttlMs: TTL_MS, heartbeatMs: HEARTBEAT_MS },
      remainingMs: () => Promise.resolve(0),
    });
    const failovers: Failover[] = [];
    while (failovers.length < count) {
      progress(`${name}: restart, ${failovers.length + 1} of ${count}`);
      const failover = await team.interrupt(async () => {
        await server.kill();
        await server.start();
        return await untilAnswer(store);
      });
      failovers.push(failover);
    }
    return [{ database: name, what: 'restart of the server', failovers }];
  } finally {
    await team?.end();
    await store.close();
    await server.stop();
  }
}

/** When the server first answered, by the machine's clock. */
async function untilAnswer(store: LeaseStore): Promise<number> {
  for (;;) {
    const signal = AbortSignal.timeout(500);
    try {
      await store.readClock!({ signal });
      return machineMs();
    } catch {
      await pause(5);
    }
  }
}
