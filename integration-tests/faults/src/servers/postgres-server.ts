import { hasImage, startDockerServer } from './docker-server.js';
import { startInstalledPostgres } from './installed-postgres.js';
import type { PrivateServer } from './private-server.js';

const IMAGE = 'postgres:18';

/** Connections that a server lets in: few enough to use them all up. */
const MAX_CONNECTIONS = 100;

/** Settings that are not the server's own. What a killed server has written is in the machine's memory: nothing is lost by not waiting for the disk. */
const SETTINGS = [`max_connections=${MAX_CONNECTIONS}`, 'fsync=off', 'max_wal_size=96MB', 'shared_buffers=32MB'].flatMap(
  (setting) => ['-c', setting],
);

/** A PostgreSQL server of one run's own: in Docker, if it runs and has the image; else of the programs that are installed; a string says that there is neither. Its superuser is `postgres`, `pw`. */
export async function startPostgresServer(): Promise<PrivateServer | string> {
  if (hasImage(IMAGE)) {
    return await startDockerServer({
      image: IMAGE,
      port: 5432,
      environment: { POSTGRES_PASSWORD: 'pw' },
      command: ['postgres', ...SETTINGS],
      dataFolder: '/var/lib/postgresql',
      dataMegabytes: 400,
    });
  }
  return (await startInstalledPostgres(SETTINGS)) ?? `no Docker with the image ${IMAGE}, and no PostgreSQL is installed`;
}
