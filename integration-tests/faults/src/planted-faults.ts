import type { HeartbeatResult, LeaseStore } from '@wb/core';

/** A way to break a member, to see that the run notices. */
export interface PlantedFault {
  readonly title: string;
  /** Between the coordinator and the real store. */
  readonly store?: (store: LeaseStore) => LeaseStore;
  /** The work does not look at its signal or its lease. */
  readonly ignoresAbort?: boolean;
}

function over(store: LeaseStore, change: Partial<LeaseStore>): LeaseStore {
  const changed = Object.create(store) as LeaseStore;
  for (const name of [
    'migrate',
    'openSession',
    'heartbeat',
    'closeSession',
    'contend',
    'withdraw',
    'claim',
    'release',
    'held',
    'read',
    'members',
    'close',
  ] as const) {
    Reflect.set(changed, name, (store[name] as (...args: unknown[]) => unknown).bind(store));
  }
  return Object.assign(changed, { capabilities: store.capabilities }, change);
}

/** Every planted fault, by name. */
export const plantedFaults: Readonly<Record<string, PlantedFault>> = {
  'no-abort': { title: 'work that goes on when its leadership has ended', ignoresAbort: true },
  'claim-without-guard': {
    title: 'a claim that takes a group from its live holder',
    store: (store) =>
      over(store, {
        claim: async (sessionId, groupIds, options) => {
          const results = await store.claim(sessionId, groupIds, options);
          const stolen = results.flatMap((result) =>
            result.kind === 'refused' && result.reason === 'held' && Math.random() < 0.2 ? [result] : [],
          );
          if (stolen.length === 0) return results;
          for (const { groupId, holder } of stolen) await store.release(holder.sessionId, [{ groupId, term: holder.term }], options);
          return await store.claim(sessionId, groupIds, options);
        },
      }),
  },
  'revived-session': {
    title: 'a "no" to a heartbeat that is taken for a "yes"',
    store: (store) =>
      over(store, {
        heartbeat: async (request, options): Promise<HeartbeatResult> => {
          const result = await store.heartbeat(request, options);
          if (result.alive) return result;
          return {
            alive: true,
            grantCount: 0,
            standbyRank: 0,
            holders: request.holders.map((sessionId) => ({ sessionId, remainingMs: 60_000, releaseCount: 0 })),
          };
        },
        held: async (sessionId, options) => ({ ...(await store.held(sessionId, options)), alive: true }),
      }),
  },
  'early-release': {
    title: 'leases that are released when they are granted, while the work goes on',
    store: (store) =>
      over(store, {
        claim: async (sessionId, groupIds, options) => {
          const results = await store.claim(sessionId, groupIds, options);
          const granted = results.flatMap((result) => (result.kind === 'granted' && Math.random() < 0.3 ? [result] : []));
          await store.release(
            sessionId,
            granted.map(({ groupId, term }) => ({ groupId, term })),
            options,
          );
          return results;
        },
      }),
  },
};
