import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { startPrivateInstance, type InstancePrograms } from './private-instance.js';
import type { TestServer } from './start-server.js';

/** Debian keeps the programs of every version in a folder of its own, outside of PATH. */
const VERSIONS_FOLDER = '/usr/lib/postgresql';

/** PostgreSQL, the newest version that is installed; `null` without any. */
export function postgresPrograms(): InstancePrograms | null {
  const programs = programFolder();
  if (programs === null) return null;
  return {
    account: 'postgres',
    install: ({ folder }) => [
      join(programs, 'initdb'),
      ...['-D', join(folder, 'data'), '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync'],
    ],
    serve: ({ folder, port }) => [
      join(programs, 'postgres'),
      ...['-D', join(folder, 'data'), '-p', String(port), '-k', folder, '-h', '127.0.0.1'],
    ],
    readyText: 'ready to accept connections',
    stopSignal: 'SIGINT',
    url: ({ port }) => `postgres://postgres@127.0.0.1:${port}/postgres`,
  };
}

/** A standby of a private instance, by streaming replication; `null` if PostgreSQL is not installed. */
export async function startPostgresStandby(primaryUrl: string): Promise<TestServer | null> {
  const programs = programFolder();
  const instance = postgresPrograms();
  if (programs === null || instance === null) return null;
  const { hostname, port: primaryPort } = new URL(primaryUrl);
  return await startPrivateInstance({
    ...instance,
    install: ({ folder }) => [
      join(programs, 'pg_basebackup'),
      ...['-h', hostname, '-p', primaryPort, '-U', 'postgres', '-D', join(folder, 'data'), '-R', '-X', 'stream', '-c', 'fast'],
    ],
    readyText: 'ready to accept read',
  });
}

function programFolder(): string | null {
  const versions = existsSync(VERSIONS_FOLDER) ? readdirSync(VERSIONS_FOLDER) : [];
  const newestFirst = versions.toSorted((a, b) => Number(b) - Number(a)).map((version) => join(VERSIONS_FOLDER, version, 'bin'));
  const inPath = (process.env['PATH'] ?? '').split(':').filter((folder) => folder !== '');
  return [...newestFirst, ...inPath].find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres'))) ?? null;
}
