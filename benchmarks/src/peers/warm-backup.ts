import { createCoordinator, type Coordinator, type LeaseStore } from '@wb/core';
import { openStore } from '../databases/open-store.js';
import { openSession } from '../databases/open-lease.js';
import { deferred } from '../measure/deferred.js';
import { countStatements } from './count-statements.js';
import type { Peer, PeerClient, PeerPlace } from './peer.js';

type Backing = 'postgres' | 'mysql' | 'sqlite';

/** Heartbeats for each TTL. */
const HEARTBEATS = 5;

/** This SDK. */
export function warmBackup(backing: Backing): Peer {
  return {
    name: 'Warm Backup',
    backing,
    maxGroups: 10_000,
    differences: '',
    open: (place) => Promise.resolve(client(backing, place)),
  };
}

function client(backing: Backing, { url, namespace, memberId, ttlMs }: PeerPlace): PeerClient {
  const callCount = countStatements[backing](url);
  const open = (): LeaseStore => openStore(url, namespace, 4);
  let plain: Promise<{ store: LeaseStore; sessionId: string }> | null = null;
  let coordinator: Coordinator | null = null;
  const terms = new Map<string, number>();
  const session = (): Promise<{ store: LeaseStore; sessionId: string }> => {
    plain ??= (async () => {
      const store = open();
      await store.migrate();
      return { store, sessionId: await openSession(store) };
    })();
    return plain;
  };
  return {
    acquire: async (group) => {
      const { store, sessionId } = await session();
      const [result] = await store.claim(sessionId, [group]);
      if (result?.kind === 'granted') terms.set(group, result.term);
      return result?.kind === 'granted';
    },
    release: async (group) => {
      const { store, sessionId } = await session();
      await store.release(sessionId, [{ groupId: group, term: terms.get(group)! }]);
    },
    lead: async (group) => {
      coordinator ??= createCoordinator({ store: open, memberId, ttlMs, heartbeatMs: ttlMs / HEARTBEATS });
      const end = deferred();
      const begun = deferred();
      const over = coordinator.lead(group, async () => {
        begun.resolve();
        await end.promise;
      });
      await begun.promise;
      return async () => {
        end.resolve();
        await over;
      };
    },
    callCount,
    close: async () => {
      await coordinator?.close();
      if (plain !== null) await (await plain).store.close();
    },
  };
}
