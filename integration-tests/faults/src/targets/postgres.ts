import { machineFaults } from '../servers/machine-faults.js';
import { answering } from '../servers/private-server.js';
import { startPrivateServer } from '../servers/start-private-server.js';
import type { FaultTarget, TargetServer } from '../target.js';
import { endpointOf, urlAt } from './endpoint.js';
import { PostgresAdmin } from './postgres-admin.js';
import { openPostgres } from './postgres-database.js';
import { postgresFaults } from './postgres-faults.js';

/** PostgreSQL, one server. */
export const postgres: FaultTarget = {
  name: 'postgres',
  open: openPostgres,
  start: async (): Promise<TargetServer | string> => {
    const server = await startPrivateServer('postgres');
    if (typeof server === 'string') return server;
    const admin = new PostgresAdmin(() => server.url);
    const version = await answering(server, async () => {
      const answer = await admin.untilReady();
      await admin.makeLedger();
      return answer;
    });
    return {
      title: `PostgreSQL ${version} (${server.origin})`,
      endpoints: () => [endpointOf(server.url)],
      url: ([proxy]) => urlAt(server.url, proxy!),
      faults: [...machineFaults(server, () => admin.untilReady()), ...postgresFaults(admin)],
      readLedger: () => admin.readLedger(),
      readRuns: () => admin.readRuns(),
      stop: () => server.stop(),
    };
  },
};
