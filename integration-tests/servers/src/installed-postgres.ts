import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { InstancePrograms } from './private-instance.js';

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
      ...['-D', join(folder, 'data'), '-p', String(port), '-k', folder, '-h', '127.0.0.1', '-F'],
    ],
    readyText: 'ready to accept connections',
    stopSignal: 'SIGINT',
    url: ({ port }) => `postgres://postgres@127.0.0.1:${port}/postgres`,
  };
}

function programFolder(): string | null {
  const versions = existsSync(VERSIONS_FOLDER) ? readdirSync(VERSIONS_FOLDER) : [];
  const newestFirst = versions.toSorted((a, b) => Number(b) - Number(a)).map((version) => join(VERSIONS_FOLDER, version, 'bin'));
  const inPath = (process.env['PATH'] ?? '').split(':').filter((folder) => folder !== '');
  return [...newestFirst, ...inPath].find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres'))) ?? null;
}
