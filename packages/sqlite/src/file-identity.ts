import { statSync } from 'node:fs';

/** The identity of no file. */
export const MISSING = '';

/** Which file is at a path, by the path alone: to open and close a database beside SQLite would drop SQLite's locks on it. */
export function fileIdentity(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? MISSING : `${stats.dev}:${stats.ino}`;
}
