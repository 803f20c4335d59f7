import { join } from 'node:path';
import { isInstalled, startPrivateInstance } from './private-instance.js';
import type { TestServer } from './start-server.js';

/** A private MariaDB; `null` if it is not installed. */
export async function startInstalledMariadb(): Promise<TestServer | null> {
  if (!isInstalled('mariadbd') || !isInstalled('mariadb-install-db')) return null;
  return await startPrivateInstance({
    account: 'mysql',
    // It makes a database `test`, too.
    install: ({ folder }) => [
      'mariadb-install-db',
      ...['--no-defaults', `--datadir=${join(folder, 'data')}`, '--auth-root-authentication-method=normal'],
    ],
    serve: ({ folder, port }) => [
      'mariadbd',
      ...['--no-defaults', `--datadir=${join(folder, 'data')}`, `--socket=${join(folder, 'socket')}`],
      ...[`--port=${port}`, '--bind-address=127.0.0.1'],
    ],
    readyText: 'ready for connections',
    stopSignal: 'SIGTERM',
    url: ({ port }) => `mysql://root@127.0.0.1:${port}/test`,
  });
}
