import { postgresLeaseStore } from '@wb/postgres';
import { startPostgresServer } from '../servers/postgres-server.js';
import { machineFaults } from '../servers/machine-faults.js';
import type { FaultTarget, TargetServer } from '../target.js';
import { PostgresAdmin } from './postgres-admin.js';
import { postgresFaults } from './postgres-faults.js';
import { openPostgresLedger } from './postgres-ledger.js';

/** PostgreSQL, one server. */
export const postgres: FaultTarget = {
  name: 'postgres',
  openStore: (url) => postgresLeaseStore({ connectionString: url }),
  openLedger: openPostgresLedger,
  start: async (): Promise<TargetServer | string> => {
    const server = await startPostgresServer();
    if (typeof server === 'string') return server;
    const admin = new PostgresAdmin(server);
    const version = await admin.untilReady();
    await admin.makeLedger();
    return {
      title: `PostgreSQL ${version} (${server.kind})`,
      endpoints: () => [server],
      url: ([proxy]) => admin.urlAt(proxy!),
      faults: [...machineFaults(server, () => admin.untilReady()), ...postgresFaults(admin)],
      readLedger: () => admin.readLedger(),
      stop: () => server.stop(),
    };
  },
};
