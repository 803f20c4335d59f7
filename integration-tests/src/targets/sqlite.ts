import type { ConformanceTarget } from '@wb/conformance';
import { sqliteLeaseStore } from '@wb/sqlite';
import { mkdtempSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The folder of the database files; the processes that a case starts inherit it. Whoever has made it removes it. */
const directory = process.env['WB_TEST_SQLITE_DIRECTORY'] ?? makeDirectory();
const sessionRetentionMs = 1_000;

/** A file for each namespace, as a target of the conformance suite. */
const target: ConformanceTarget = {
  name: 'sqlite',
  // The built one, also when a test imports this file's source.
  module: new URL('../../dist/targets/sqlite.js', import.meta.url).href,
  sessionRetentionMs,
  open: (namespace) => sqliteLeaseStore({ filename: join(directory, `${namespace}.db`), sessionRetentionMs }),
  drop: async (namespace) => {
    for (const end of ['', '-wal', '-shm']) await rm(join(directory, `${namespace}.db${end}`), { force: true });
  },
};

export default target;

function makeDirectory(): string {
  const made = mkdtempSync(join(tmpdir(), 'wb-sqlite-'));
  process.env['WB_TEST_SQLITE_DIRECTORY'] = made;
  process.once('exit', () => rmSync(made, { recursive: true, force: true }));
  return made;
}
