import { MariaDbContainer } from '@testcontainers/mariadb';
import { MySqlContainer } from '@testcontainers/mysql';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';

/** The two servers that `@wb/mysql` is tested on. */
export type MysqlFlavor = 'mysql' | 'mariadb';

/** A server for tests, or why there is none. */
export type MysqlServer =
  { readonly url: string; readonly stop: () => Promise<void> } | { readonly url: null; readonly skipReason: string };

const SERVERS = {
  mysql: { urlVariable: 'WB_TEST_MYSQL_URL', image: 'mysql:9.7' },
  mariadb: { urlVariable: 'WB_TEST_MARIADB_URL', image: 'mariadb:11.8' },
} as const;

/**
 * A server: that of `WB_TEST_MYSQL_URL` or `WB_TEST_MARIADB_URL`; else a container, if Docker runs and has the image; else, for MariaDB, a private instance of the installed programs; else none, which is
 * a failure if `WB_REQUIRE` names it (`WB_REQUIRE=mysql,mariadb`). Sets the variable.
 */
export async function startMysqlServer(flavor: MysqlFlavor): Promise<MysqlServer> {
  const { urlVariable, image } = SERVERS[flavor];
  const given = process.env[urlVariable];
  if (given !== undefined) return { url: given, stop: () => Promise.resolve() };
  const server = (await startContainer(flavor, image)) ?? (flavor === 'mariadb' ? await startInstalled() : null);
  if (server !== null) {
    process.env[urlVariable] = server.url;
    return server;
  }
  const skipReason = `no ${flavor} server: ${urlVariable} is not set, Docker does not run or has no image ${image}, and no server program is installed`;
  if ((process.env['WB_REQUIRE'] ?? '').split(',').includes(flavor)) throw new Error(`${skipReason}; WB_REQUIRE asks for it`);
  return { url: null, skipReason };
}

async function startContainer(flavor: MysqlFlavor, image: string): Promise<{ url: string; stop: () => Promise<void> } | null> {
  if (spawnSync('docker', ['info']).status !== 0 || spawnSync('docker', ['image', 'inspect', image]).status !== 0) return null;
  process.env['TESTCONTAINERS_RYUK_DISABLED'] ??= 'true';
  const container = flavor === 'mysql' ? await new MySqlContainer(image).start() : await new MariaDbContainer(image).start();
  const url = `mysql://root:${container.getRootPassword()}@${container.getHost()}:${container.getPort()}/${container.getDatabase()}`;
  return {
    url,
    stop: async () => {
      await container.stop();
    },
  };
}

async function startInstalled(): Promise<{ url: string; stop: () => Promise<void> } | null> {
  if (spawnSync('mariadbd', ['--version']).status !== 0 || spawnSync('mariadb-install-db', ['--help']).status !== 0) return null;
  const directory = mkdtempSync(join(tmpdir(), 'wb-mariadb-'));
  const user = process.getuid?.() === 0 ? unprivilegedUser(directory) : [];
  const install = spawnSync('mariadb-install-db', [
    '--no-defaults',
    `--datadir=${directory}/data`,
    '--auth-root-authentication-method=normal',
    ...user,
  ]);
  if (install.status !== 0) throw new Error(`mariadb-install-db failed:\n${install.stderr.toString()}`);
  const port = await freePort();
  const server = spawn(
    'mariadbd',
    ['--no-defaults', `--datadir=${directory}/data`, `--socket=${directory}/socket`, `--port=${port}`, '--bind-address=127.0.0.1', ...user],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  await ready(server);
  const url = `mysql://root@127.0.0.1:${port}/test`;
  const connection = await createConnection({ host: '127.0.0.1', port, user: 'root' });
  await connection.query('create database if not exists test');
  await connection.end();
  return {
    url,
    stop: async () => {
      const ended = once(server, 'exit');
      server.kill('SIGTERM');
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The server refuses to run as root. */
function unprivilegedUser(directory: string): string[] {
  const numberOf = (what: string): number => Number(spawnSync('id', [what, 'mysql']).stdout.toString());
  chownSync(directory, numberOf('-u'), numberOf('-g'));
  return ['--user=mysql'];
}

function ready(server: ChildProcess): Promise<void> {
  let output = '';
  return new Promise((resolve, reject) => {
    server.stderr!.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes('ready for connections')) resolve();
    });
    server.once('exit', () => reject(new Error(`mariadbd ended before it was ready:\n${output}`)));
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('a listening server has no port');
  return address.port;
}
