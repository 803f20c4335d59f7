import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startInstalledServer } from './installed-server.js';
import type { PrivateServer } from './private-server.js';

/** A server of the PostgreSQL that is installed; `null` without any. Its superuser is `postgres`, `pw`. */
export async function startInstalledPostgres(settings: readonly string[]): Promise<PrivateServer | null> {
  const folder = programFolder();
  if (folder === null) return null;
  return await startInstalledServer({
    user: 'postgres',
    initialize: (directory, identity) => {
      const passwordFile = join(directory, 'password');
      writeFileSync(passwordFile, 'pw', { mode: 0o644 });
      execFileSync(
        join(folder, 'initdb'),
        ['-D', join(directory, 'data'), '-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '-E', 'UTF8', '--no-sync'],
        { ...identity, cwd: directory, stdio: 'ignore' },
      );
    },
    command: (directory, port) => [
      join(folder, 'postgres'),
      ...['-D', join(directory, 'data'), '-c', 'listen_addresses=127.0.0.1', '-c', `port=${port}`, '-c', `unix_socket_directories=${directory}`],
      ...settings,
    ],
  });
}

function programFolder(): string | null {
  const versions = '/usr/lib/postgresql';
  const folders = existsSync(versions) ? readdirSync(versions).map((version) => join(versions, version, 'bin')) : [];
  const inPath = (process.env['PATH'] ?? '').split(':').filter((folder) => folder !== '');
  return [...folders.toSorted().toReversed(), ...inPath].find((folder) => existsSync(join(folder, 'initdb'))) ?? null;
}
