import type pg from 'pg';
import type { ServerFault } from '../target.js';
import type { PostgresAdmin } from './postgres-admin.js';

/** What an administrator, or another program, does to a PostgreSQL server. */
export function postgresFaults(admin: PostgresAdmin): ServerFault[] {
  const locked = (kind: string, table: string): ServerFault => ({
    kind,
    lastsTtls: [0.2, 1.2],
    inject: async () => {
      const client = await admin.connect();
      await client.query(`begin; lock table ${table} in access exclusive mode`);
      return () => client.end();
    },
  });
  return [
    {
      kind: 'connections terminated',
      lastsTtls: [0, 0],
      inject: async () => {
        await admin.query(
          `select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`,
        );
        return () => Promise.resolve();
      },
    },
    {
      kind: 'connections used up',
      lastsTtls: [0.5, 1.5],
      inject: async () => {
        const clients = await takeAll(admin);
        return async () => void (await Promise.all(clients.map((client) => client.end().catch(() => undefined))));
      },
    },
    locked('sessions locked', 'wb_session'),
    locked('leases locked', 'wb_lease'),
  ];
}

/** Ends everybody's connections and takes them before they can come back. Superusers' last ones stay. */
async function takeAll(admin: PostgresAdmin): Promise<pg.Client[]> {
  const clients: pg.Client[] = [];
  await admin.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()`,
  );
  for (;;) {
    const results = await Promise.allSettled(Array.from({ length: 25 }, () => admin.tryToConnect()));
    clients.push(...results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])));
    if (results.some(({ status }) => status === 'rejected')) return clients;
  }
}
