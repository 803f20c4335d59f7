import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { ServerKind } from './server-kinds.js';
import type { TestServer } from './start-server.js';

/** How long Docker may take to say that it runs, and to fetch an image, in ms. */
const ANSWER_LIMIT_MS = 10_000;
const PULL_LIMIT_MS = 300_000;

const run = promisify(execFile);

/** A server in a container of its own, or why there is none. An image that is not there is fetched. */
export async function startDockerServer(kind: ServerKind, image: string): Promise<TestServer | string> {
  if (!(await succeeds(['info'], ANSWER_LIMIT_MS))) return 'Docker does not run';
  if (!(await succeeds(['image', 'inspect', image], ANSWER_LIMIT_MS)) && !(await succeeds(['pull', '--quiet', image], PULL_LIMIT_MS))) {
    return `Docker has no image ${image} and cannot fetch it`;
  }
  // The reaper is an image of its own, which need not be there.
  process.env['TESTCONTAINERS_RYUK_DISABLED'] ??= 'true';
  const { url, stop } = await startContainer(kind, image);
  return {
    url,
    origin: 'Docker',
    stop: async () => {
      await stop();
    },
  };
}

/** Testcontainers takes a while to load: only who needs it does. */
async function startContainer(kind: ServerKind, image: string): Promise<{ url: string; stop: () => Promise<unknown> }> {
  switch (kind) {
    case 'postgres': {
      const { PostgreSqlContainer } = await import('@testcontainers/postgresql');
      const container = await new PostgreSqlContainer(image).withCommand(['postgres', '-c', 'fsync=off']).start();
      return { url: container.getConnectionUri(), stop: () => container.stop() };
    }
    case 'mysql': {
      const { MySqlContainer } = await import('@testcontainers/mysql');
      const container = await new MySqlContainer(image).start();
      return { url: container.getConnectionUri(true), stop: () => container.stop() };
    }
    case 'mariadb': {
      const { MariaDbContainer } = await import('@testcontainers/mariadb');
      const container = await new MariaDbContainer(image).start();
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
