import advisoryLockModule from 'advisory-lock';
import { createRequire } from 'node:module';
import type pg from 'pg';
import { countCalls } from './count-calls.js';
import type { Peer } from './peer.js';

/** PostgreSQL's session locks, by a package that wraps them. */
export const advisoryLock: Peer = {
  name: 'advisory-lock',
  backing: 'postgres',
  maxGroups: 20,
  differences:
    'a lock that lives as long as its connection: one connection for each group that is held or waited for, which is what limits it (the server allows 100 by default). Nothing to extend, and no polling: a waiter is woken by the server, and a killed process frees its groups as soon as the server sees its connection end, long before any TTL: there it wins. But a frozen process, or one that is cut off, keeps them until TCP gives up (hours by default), and the holder is never told that its connection, and so its lock, is gone: no TTL, no term, no abort. Names are hashed to 64 bits. It does not work through a pooler in transaction mode.',
  open: ({ url, namespace }) => {
    // Its own driver, which need not be ours.
    const driver = createRequire(createRequire(import.meta.url).resolve('advisory-lock'))('pg') as typeof pg;
    const callCount = countCalls(driver.Client.prototype, 'query', 'connect');
    const create = advisoryLockModule.default(url);
    const held = new Map<string, () => Promise<void>>();
    return Promise.resolve({
      acquire: async (group) => {
        const unlock = await create(`${namespace}${group}`).tryLock();
        if (unlock !== undefined) held.set(group, unlock);
        return unlock !== undefined;
      },
      release: (group) => held.get(group)!(),
      lead: (group) => create(`${namespace}${group}`).lock(),
      callCount,
      close: () => Promise.resolve(),
    });
  },
};
