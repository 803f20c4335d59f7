import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { InstancePrograms } from './private-instance.js';

/** MySQL; `null` if it is not installed. MariaDB brings a program of the same name, which does not count. */
export function mysqlPrograms(): InstancePrograms | null {
  const { error, stdout } = spawnSync('mysqld', ['--version'], { encoding: 'utf8' });
  if (error !== undefined || stdout.includes('MariaDB')) return null;
  return {
    account: 'mysql',
    install: ({ folder }) => {
      const script = join(folder, 'init.sql');
      writeFileSync(script, 'create database test;\n');
      return ['mysqld', '--no-defaults', '--initialize-insecure', `--datadir=${join(folder, 'data')}`, `--init-file=${script}`];
    },
    serve: ({ folder, port }) => [
      'mysqld',
      ...['--no-defaults', `--datadir=${join(folder, 'data')}`, `--socket=${join(folder, 'socket')}`, '--mysqlx=OFF'],
      // Its default is a folder of the distribution's own instance.
      '--secure-file-priv=NULL',
      ...[`--port=${port}`, '--bind-address=127.0.0.1'],
    ],
    readyText: 'ready for connections',
    stopSignal: 'SIGTERM',
    url: ({ port }) => `mysql://root@127.0.0.1:${port}/test`,
  };
}
