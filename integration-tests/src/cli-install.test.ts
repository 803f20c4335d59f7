import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WB } from './cli/wb-command.js';

const CLI = realpathSync(join(dirname(WB), '..'));

/** The folder of a package, as another one finds it. */
function folderOf(name: string, from: string): string {
  let folder = from;
  while (!existsSync(join(folder, 'node_modules', name))) {
    if (folder === dirname(folder)) throw new Error(`${name} is not found from ${from}`);
    folder = dirname(folder);
  }
  return realpathSync(join(folder, 'node_modules', name));
}

describe('wb where not all is installed', () => {
  let folder: string;

  /** Puts a package into the folder: its files, and not what its own folder has installed. */
  const install = (name: string, from: string, without: readonly string[] = []): void => {
    const source = from === CLI && name === '@wb/cli' ? CLI : folderOf(name, from);
    const left = ['node_modules', ...without].map((entry) => join(source, entry));
    cpSync(source, join(folder, 'node_modules', name), { recursive: true, filter: (path) => !left.includes(path) });
  };
  /** As {@link install}, with all that it needs. */
  const link = (name: string, from: string): void => {
    const place = join(folder, 'node_modules', name);
    mkdirSync(dirname(place), { recursive: true });
    symlinkSync(folderOf(name, from), place);
  };
  const members = (store: string): readonly [number | null, string] => {
    const { status, stderr } = spawnSync(process.execPath, [join(folder, 'node_modules/@wb/cli/bin/wb.js'), 'members', '--store', store], {
      encoding: 'utf8',
      cwd: folder,
      env: { PATH: process.env['PATH'] },
    });
    return [status, stderr];
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'wb-install-'));
    install('@wb/cli', CLI);
    for (const name of ['@wb/core', '@wb/schedule', 'commander', 'cli-table3', 'smol-toml']) link(name, CLI);
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    ['postgres://u@h/d', 'postgres', 'pg'],
    ['mysql://u@h/d', 'mysql', 'mysql2'],
    ['sqlite:a.db', 'sqlite', 'better-sqlite3'],
  ])('says which packages %s needs: without the store, and without its driver', (store, adapter, driver) => {
    const missing = [125, `wb: error: the store for ${adapter} is not installed (npm install @wb/${adapter} ${driver} kysely)\n`];
    expect(members(store)).toEqual(missing);
    install(`@wb/${adapter}`, CLI);
    for (const name of ['@wb/sql', 'kysely']) link(name, folderOf(`@wb/${adapter}`, CLI));
    expect(members(store)).toEqual(missing);
  });

  it('says that a driver was not built', () => {
    install('@wb/sqlite', CLI);
    for (const name of ['@wb/sql', 'kysely']) link(name, folderOf('@wb/sqlite', CLI));
    install('better-sqlite3', CLI, ['build', 'deps', 'src']);
    link('bindings', folderOf('better-sqlite3', CLI));
    const [status, stderr] = members('sqlite:a.db');
    expect([status, stderr]).toEqual([
      125,
      expect.stringMatching(
        /^wb: error: better-sqlite3 is installed, but its native part cannot be loaded.* \(npm rebuild better-sqlite3\)\n$/,
      ),
    ]);
  });
});
