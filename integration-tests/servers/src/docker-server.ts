import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { ServerKind } from './server-kinds.js';
import type { Storage, TestServer } from './start-server.js';

/** How long Docker may take to say that it runs, and to fetch an image, in ms. */
const ANSWER_LIMIT_MS = 10_000;
const PULL_LIMIT_MS = 300_000;
/** For tests the servers keep their data in memory, so that they can be as durable as in earnest and yet cost no disk. */
const MEMORY_FOLDER = '/var/lib/wb-memory';

const run = promisify(execFile);

/** A server in a container of its own, or why there is none. An image that is not there is fetched. */
export async function startDockerServer(kind: ServerKind, image: string, storage: Storage = 'memory'): Promise<TestServer | string> {
  if (!(await succeeds(['info'], ANSWER_LIMIT_MS))) return 'Docker does not run';
  if (!(await succeeds(['image', 'inspect', image], ANSWER_LIMIT_MS)) && !(await succeeds(['pull', '--quiet', image], PULL_LIMIT_MS))) {
    return `Docker has no image ${image} and cannot fetch it`;
  }
  // The reaper is an image of its own, which need not be there.
  process.env['TESTCONTAINERS_RYUK_DISABLED'] ??= 'true';
  const { url, stop } = await startContainer(kind, image, storage);
  return {
    url,
    origin: 'Docker',
    storage,
    stop: async () => {
      await stop();
    },
  };
}

/** Testcontainers takes a while to load: only who needs it does. */
async function startContainer(kind: ServerKind, image: string, storage: Storage): Promise<{ url: string; stop: () => Promise<unknown> }> {
  switch (kind) {
    case 'postgres': {
      const { PostgreSqlContainer } = await import('@testcontainers/postgresql');
      // Without a command of ours, testcontainers turns fsync off.
      const onDisk = new PostgreSqlContainer(image).withCommand(['postgres']);
      const chosen =
        storage === 'disk' ? onDisk : onDisk.withTmpFs({ [MEMORY_FOLDER]: 'rw' }).withEnvironment({ PGDATA: `${MEMORY_FOLDER}/postgres` });
      const container = await chosen.start();
      return { url: container.getConnectionUri(), stop: () => container.stop() };
    }
    case 'mysql': {
      const { MySqlContainer } = await import('@testcontainers/mysql');
      const onDisk = new MySqlContainer(image);
      const container = await (storage === 'disk' ? onDisk : onDisk.withTmpFs({ '/var/lib/mysql': 'rw' })).start();
      return { url: container.getConnectionUri(true), stop: () => container.stop() };
    }
    case 'mariadb': {
      const { MariaDbContainer } = await import('@testcontainers/mariadb');
      const onDisk = new MariaDbContainer(image);
      const container = await (storage === 'disk' ? onDisk : onDisk.withTmpFs({ '/var/lib/mysql': 'rw' })).start();
      return { url: container.getConnectionUri(true).replace(/^mariadb:/, 'mysql:'), stop: () => container.stop() };
    }
  }
}

async function succeeds(command: readonly string[], timeout: number): Promise<boolean> {
  try {
    await run('docker', command, { timeout });
    return true;
  } catch {
    return false;
  }
}
