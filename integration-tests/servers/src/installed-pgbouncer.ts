import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { startPrivateInstance, type InstancePrograms } from './private-instance.js';
import type { TestServer } from './start-server.js';

/** Debian puts it where only root has its PATH. */
const FOLDERS = ['/usr/sbin', '/usr/local/sbin'];

/** PgBouncer in transaction mode before a PostgreSQL server, on a free port; `null` if it is not installed. */
export async function startPgbouncer(serverUrl: string): Promise<TestServer | null> {
  const programs = pgbouncerPrograms(serverUrl);
  return programs === null ? null : await startPrivateInstance(programs);
}

function pgbouncerPrograms(serverUrl: string): InstancePrograms | null {
  const program = [...FOLDERS, ...(process.env['PATH'] ?? '').split(':')].map((folder) => join(folder, 'pgbouncer')).find(existsSync);
  if (program === undefined) return null;
  const server = new URL(serverUrl);
  const { hostname, port, username, password, pathname } = server;
  const configuration = (listenPort: number): string => `
[databases]
* = host=${hostname} port=${port || 5432} dbname=${pathname.slice(1)} user=${username}${password === '' ? '' : ` password=${password}`}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${listenPort}
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_client_conn = 500
; Few: transactions of different clients share a connection all the time.
default_pool_size = 12
`;
  return {
    account: 'postgres',
    // Its configuration is all there is to install.
    install: ({ folder, port: listenPort }) => [
      '/bin/sh',
      ...['-c', 'printf %s "$1" > "$0"', join(folder, 'pgbouncer.ini'), configuration(listenPort)],
    ],
    serve: ({ folder }) => [program, join(folder, 'pgbouncer.ini')],
    readyText: 'process up',
    stopSignal: 'SIGINT',
    url: ({ port: listenPort }) => `postgres://${username}@127.0.0.1:${listenPort}${pathname}`,
  };
}
