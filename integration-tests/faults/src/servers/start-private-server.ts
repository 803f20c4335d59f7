import { installedPrograms, SERVER_KINDS, type ServerKind } from '@wb/test-servers';
import { hasImage, startDockerServer, type DockerServerOptions } from './docker-server.js';
import { startInstalledServer } from './installed-server.js';
import type { PrivateServer } from './private-server.js';

const MYSQL_CONTAINER = {
  port: 3306,
  url: (port: number) => `mysql://root:pw@127.0.0.1:${port}/test`,
  dataFolder: '/var/lib/mysql',
  dataMegabytes: 900,
  clockLooks: 'now and then',
} satisfies Partial<DockerServerOptions>;

/** How each image is run. */
const CONTAINERS: Readonly<Record<ServerKind, Omit<DockerServerOptions, 'image' | 'command'> & { readonly program: string }>> = {
  postgres: {
    program: 'postgres',
    port: 5432,
    url: (port) => `postgres://postgres:pw@127.0.0.1:${port}/postgres`,
    environment: { POSTGRES_PASSWORD: 'pw' },
    dataFolder: '/var/lib/postgresql',
    dataMegabytes: 400,
    // A process for each connection.
    clockLooks: 'always',
  },
  mysql: { program: 'mysqld', environment: { MYSQL_ROOT_PASSWORD: 'pw', MYSQL_DATABASE: 'test' }, ...MYSQL_CONTAINER },
  mariadb: { program: 'mariadbd', environment: { MARIADB_ROOT_PASSWORD: 'pw', MARIADB_DATABASE: 'test' }, ...MYSQL_CONTAINER },
};

/** All members come from one host, which the server would lock out after a hundred connections that broke off before they were open. */
const NEVER_BLOCKED = '--max-connect-errors=1000000';

/** What a small machine has room for, and few enough connections to use them all up. What a killed server has written stays in the machine's memory: nothing is lost by not waiting for a disk. */
const SETTINGS: Readonly<Record<ServerKind, readonly string[]>> = {
  postgres: ['max_connections=100', 'fsync=off', 'max_wal_size=96MB', 'shared_buffers=32MB'].flatMap((setting) => ['-c', setting]),
  mysql: [
    ...[
      '--max-connections=100',
      NEVER_BLOCKED,
      '--skip-log-bin',
      '--mysqlx=OFF',
      '--performance-schema=OFF',
      '--innodb-buffer-pool-size=64M',
    ],
    '--innodb-redo-log-capacity=32M',
  ],
  mariadb: ['--max-connections=100', NEVER_BLOCKED, '--innodb-buffer-pool-size=64M', '--innodb-log-file-size=32M'],
};

/**
 * A server of one run's own: in Docker, if it runs and has the image; else of the programs that are installed; a string says that there is neither. `settings` are more arguments of the server.
 * Resolves before it answers.
 */
export async function startPrivateServer(kind: ServerKind, settings: readonly string[] = []): Promise<PrivateServer | string> {
  const { title, image, programs } = SERVER_KINDS[kind];
  const all = [...SETTINGS[kind], ...settings];
  if (hasImage(image)) {
    const { program, ...container } = CONTAINERS[kind];
    return await startDockerServer({ ...container, image, command: [program, ...all] });
  }
  const installed = installedPrograms(kind);
  if (installed !== null) return await startInstalledServer(installed, all, CONTAINERS[kind].clockLooks);
  return `there is no ${title}: Docker does not run or has no image ${image}, and ${programs} are not installed`;
}
