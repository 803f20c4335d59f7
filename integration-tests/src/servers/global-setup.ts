import {
  assertRequiredTargets,
  SERVER_KINDS,
  serverVersion,
  startDockerServer,
  startInstalledServer,
  startServer,
  missingServer,
  type MissingServer,
  type ServerKind,
  type TestServer,
} from '@wb/test-servers';
import Database from 'better-sqlite3';
import type { TestProject } from 'vitest/node';
import type { GivenServer, GivenServers } from './given-servers.js';

/** The oldest versions that are tested, where the machine has no others installed. */
const OLDER_IMAGES = { postgres: 'postgres:15', mariadb: 'mariadb:10.11' } as const;

const stops: (() => Promise<void>)[] = [];

/** Starts every database once for a run, and tells the tests (by `inject`) and the processes that they start (by the environment) where each is. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const end = async (): Promise<void> => {
    await Promise.all(stops.splice(0).map((stop) => stop()));
  };
  try {
    assertRequiredTargets(Object.keys(OLDER_IMAGES).map((kind) => `${kind}-older`));
    const postgres = await startServer('postgres');
    const mysql = await startServer('mysql');
    const mariadb = await startServer('mariadb');
    const servers: GivenServers = {
      sqlite: { url: 'sqlite:', version: sqliteVersion(), origin: 'better-sqlite3' },
      postgres: await given(postgres),
      'postgres-older': await given(await startOlder('postgres', postgres)),
      mysql: await given(mysql),
      mariadb: await given(mariadb),
      'mariadb-older': await given(await startOlder('mariadb', mariadb)),
    };
    for (const kind of ['postgres', 'mysql', 'mariadb'] as const) {
      const { url } = servers[kind];
      if (url !== null) process.env[SERVER_KINDS[kind].urlVariable] = url;
    }
    project.provide('servers', servers);
    return end;
  } catch (error) {
    await end();
    throw error;
  }
}

async function given(server: TestServer | MissingServer): Promise<GivenServer> {
  if (server.url === null) return server;
  stops.push(server.stop);
  return { url: server.url, version: await serverVersion(server.url), origin: server.origin };
}

function sqliteVersion(): string {
  const database = new Database(':memory:');
  const version = String(database.prepare('select sqlite_version()').pluck().get());
  database.close();
  return `SQLite ${version}`;
}

/** A second version of a server: the one that is installed, else one in Docker. */
async function startOlder(kind: keyof typeof OLDER_IMAGES, newer: TestServer | MissingServer): Promise<TestServer | MissingServer> {
  const { title, urlVariable } = SERVER_KINDS[kind as ServerKind];
  const missing = (skipReason: string): MissingServer => missingServer(`${kind}-older`, skipReason);
  if (newer.url === null) return newer;
  if (newer.origin === urlVariable) return missing(`${urlVariable} names the one ${title} to test on; without it there are two`);
  if (newer.origin === 'installed') return missing(`Docker does not run: there is only the ${title} that is installed`);
  const installed = await startInstalledServer(kind);
  if (installed !== null) {
    if ((await serverVersion(installed.url)) !== (await serverVersion(newer.url))) return installed;
    await installed.stop();
  }
  const inDocker = await startDockerServer(kind, OLDER_IMAGES[kind]);
  return typeof inDocker === 'string' ? missing(`no second version of ${title}: none is installed, and ${inDocker}`) : inDocker;
}
