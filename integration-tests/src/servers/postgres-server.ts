import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.js';

/** A running server, as a superuser sees it. */
export interface PostgresServer {
  readonly url: string;
  readonly stop: () => Promise<void>;
}

const IMAGE = 'postgres:18';

/**
 * A server for tests: that of `WB_TEST_POSTGRES_URL`; else one in Docker, if it runs and has the image; else one of the programs that are installed on this machine. A string says why
 * there is none; with `WB_REQUIRE=postgres` that is a failure.
 */
export async function startPostgres(): Promise<PostgresServer | string> {
  const url = process.env['WB_TEST_POSTGRES_URL'];
  if (url !== undefined) return { url, stop: () => Promise.resolve() };
  if (hasImage()) return await startContainer();
  const installed = await startInstalledPostgres();
  if (installed !== null) return installed;
  const reason = `no WB_TEST_POSTGRES_URL, no Docker with the image ${IMAGE}, no initdb on this machine`;
  if ((process.env['WB_REQUIRE'] ?? '').split(',').includes('postgres'))
    throw new Error(`WB_REQUIRE asks for postgres, but there is ${reason}`);
  return reason;
}

/** A private instance of the programs that are installed on this machine; `null` without any. */
export async function startInstalledPostgres(): Promise<PostgresServer | null> {
  const folder = programFolder();
  return folder === null ? null : await startPrograms(folder);
}

function hasImage(): boolean {
  return spawnSync('docker', ['image', 'inspect', IMAGE], { stdio: 'ignore', timeout: 10_000 }).status === 0;
}

async function startContainer(): Promise<PostgresServer> {
  // The reaper is an image of its own, which need not be there.
  process.env['TESTCONTAINERS_RYUK_DISABLED'] ??= 'true';
  const { PostgreSqlContainer } = await import('@testcontainers/postgresql');
  const container = await new PostgreSqlContainer(IMAGE).withCommand(['postgres', '-c', 'fsync=off']).start();
  return {
    url: container.getConnectionUri(),
    stop: async () => {
      await container.stop();
    },
  };
}

function programFolder(): string | null {
  const versions = '/usr/lib/postgresql';
  const folders = existsSync(versions) ? readdirSync(versions).map((version) => join(versions, version, 'bin')) : [];
  const inPath = (process.env['PATH'] ?? '').split(':').filter((folder) => folder !== '');
  const found = [...folders.toSorted().toReversed(), ...inPath].find((folder) => existsSync(join(folder, 'initdb')));
  return found ?? null;
}

async function startPrograms(folder: string): Promise<PostgresServer> {
  const directory = mkdtempSync(join(tmpdir(), 'wb-postgres-'));
  const user = unprivilegedUser();
  if (user) chownSync(directory, user.uid, user.gid);
  const data = join(directory, 'data');
  execFileSync(join(folder, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync'], {
    ...user,
    cwd: directory,
    stdio: 'ignore',
  });
  const port = await freePort();
  const settings = ['fsync=off', 'listen_addresses=127.0.0.1', `port=${port}`, `unix_socket_directories=${directory}`].flatMap(
    (setting) => ['-c', setting],
  );
  const server = spawn(join(folder, 'postgres'), ['-D', data, ...settings], {
    ...user,
    cwd: directory,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await ready(server);
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    stop: async () => {
      const ended = once(server, 'exit');
      server.kill('SIGINT');
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The server refuses to be run by root. */
function unprivilegedUser(): { readonly uid: number; readonly gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const id = (option: string): number => Number(execFileSync('id', [option, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

function ready(server: ChildProcess): Promise<void> {
  let output = '';
  return new Promise((resolve, reject) => {
    server.stderr!.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes('ready to accept connections')) resolve();
    });
    server.once('exit', () => reject(new Error(`postgres ended before it was ready:\n${output}`)));
  });
}
