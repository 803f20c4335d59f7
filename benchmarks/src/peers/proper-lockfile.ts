import fs, { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import lockfile from 'proper-lockfile';
import { countCalls } from './count-calls.js';
import type { Peer } from './peer.js';

/** How often a standby looks, in ms: it has no default. */
const LOOK_EVERY_MS = 200;

/** Its operations on files, counted for the whole process. */
const counted = { ...fs };
const callCount = countCalls(counted, 'mkdir', 'rmdir', 'stat', 'utimes', 'realpath');

/** A folder as a lock, beside SQLite: both need one machine and its file system. */
export const properLockfile: Peer = {
  name: 'proper-lockfile',
  backing: 'folder',
  maxGroups: 10_000,
  differences:
    'a folder whose time is renewed: no database at all, and it works on network file systems, where SQLite must not be used. No term; staleness is judged by the clock of whoever looks. Two that find it stale at once may both remove it and win. `onCompromised` tells the holder, which by default throws. The shortest TTL is 2 s. A standby polls as it is told (200 ms here).',
  open: ({ url, namespace, ttlMs }) => {
    const folder = join(url, namespace);
    mkdirSync(folder, { recursive: true });
    const held = new Map<string, () => Promise<void>>();
    const lock = (group: string, retries: object | number, update: number): Promise<() => Promise<void>> =>
      lockfile.lock(join(folder, group), { fs: counted, realpath: false, stale: ttlMs, update, retries, onCompromised: () => undefined });
    return Promise.resolve({
      acquire: async (group) => {
        try {
          held.set(group, await lock(group, 0, ttlMs / 2));
          return true;
        } catch {
          return false;
        }
      },
      release: (group) => held.get(group)!(),
      lead: (group) => lock(group, { forever: true, minTimeout: LOOK_EVERY_MS, maxTimeout: LOOK_EVERY_MS, factor: 1 }, ttlMs / 2),
      callCount,
      close: () => Promise.resolve(),
    });
  },
};
