import { join } from 'node:path';
import { isInstalled, type InstancePrograms } from './private-instance.js';

/** MariaDB; `null` if it is not installed. */
export function mariadbPrograms(): InstancePrograms | null {
  if (!isInstalled('mariadbd') || !isInstalled('mariadb-install-db')) return null;
  return {
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
  };
}
