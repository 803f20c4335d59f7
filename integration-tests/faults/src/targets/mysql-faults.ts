import type { Connection } from 'mysql2/promise';
import type { ServerFault } from '../target.js';
import type { MysqlAdmin } from './mysql-admin.js';
import { untilDone } from './until-done.js';

/** What an administrator, or another program, does to a MySQL or MariaDB server. */
export function mysqlFaults(admin: MysqlAdmin): ServerFault[] {
  return [
    {
      kind: 'connections terminated',
      lastsTtls: [0, 0],
      inject: async () => {
        await terminateAll(admin);
        return () => Promise.resolve();
      },
    },
    {
      kind: 'connections used up',
      lastsTtls: [0.5, 1.5],
      inject: async () => {
        const connections = await takeAll(admin);
        return () => {
          for (const connection of connections) connection.destroy();
          return Promise.resolve();
        };
      },
    },
    locked('sessions locked', admin, 'lock tables wb_session write'),
    locked('leases locked', admin, 'lock tables wb_lease write'),
    locked('session rows locked', admin, 'start transaction; select count(*) from wb_session for update'),
  ];
}

/** How long the locks are tried for, in ms. */
const LOCK_LIMIT_MS = 5_000;

function locked(kind: string, admin: MysqlAdmin, sql: string): ServerFault {
  return {
    kind,
    lastsTtls: [0.2, 1.2],
    inject: async () => {
      const connection = await admin.connect();
      // Whoever locks many rows may be the one that a deadlock is ended with.
      await untilDone(LOCK_LIMIT_MS, async () => {
        for (const statement of sql.split('; ')) await connection.query(statement);
      });
      return () => {
        connection.destroy();
        return Promise.resolve();
      };
    },
  };
}

async function terminateAll(admin: MysqlAdmin): Promise<void> {
  const rows = await admin.query<{ id: number }>(
    `select id from information_schema.processlist where id <> connection_id() and user not in ('system user', 'event_scheduler')`,
  );
  const connection = await admin.connect();
  // Whoever has gone meanwhile need not be ended.
  for (const { id } of rows) await connection.query(`kill ${id}`).catch(() => undefined);
  connection.destroy();
}

/** Ends everybody's connections and takes them before they can come back. */
async function takeAll(admin: MysqlAdmin): Promise<Connection[]> {
  const connections: Connection[] = [];
  await terminateAll(admin);
  for (;;) {
    const results = await Promise.allSettled(Array.from({ length: 25 }, () => admin.tryToConnect()));
    connections.push(...results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])));
    if (results.some(({ status }) => status === 'rejected')) return connections;
  }
}
