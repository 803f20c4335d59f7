import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The folder of the database files; the processes that a case starts inherit it. Whoever has made it removes it. */
export function sqliteFolder(): string {
  const inherited = process.env['WB_TEST_SQLITE_DIRECTORY'];
  if (inherited !== undefined) return inherited;
  const made = mkdtempSync(join(tmpdir(), 'wb-sqlite-'));
  process.env['WB_TEST_SQLITE_DIRECTORY'] = made;
  process.once('exit', removeSqliteFolder);
  return made;
}

/** For test runners that end their processes without an `exit`. Idempotent. */
export function removeSqliteFolder(): void {
  rmSync(sqliteFolder(), { recursive: true, force: true });
}
