import { StoreError, type ClaimResult, type LeaseStore } from '@wb/core';
import { MemoryDatabase, type StoreInstant } from '@wb/core/memory';
import { delay, RETENTION_MS, storeNow, type Mutant } from './mutant.js';

/** Finds its groups, looks whether they are free, and a moment later takes them. */
function readThenWrite(store: LeaseStore, database: MemoryDatabase, run: <T>(body: () => Promise<T>) => Promise<T>): LeaseStore {
  return {
    ...store,
    claim: (sessionId, groupIds) =>
      run(async () => {
        const views = database.read(groupIds, storeNow());
        await delay(1);
        for (const { groupId, holder } of views) {
          const lease = database.leases.get(groupId);
          if (holder === null && lease && lease.holderId !== sessionId) lease.holderId = null;
        }
        return database.claim(sessionId, groupIds, storeNow());
      }),
  };
}

function mutex(): <T>(body: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (body) => {
    const next = last.then(body, body);
    last = next.catch(() => undefined);
    return next;
  };
}

/** Names become others on their way in; what comes out has the names that went in. */
function mappingNames(store: LeaseStore, map: (name: string) => string): LeaseStore {
  return {
    ...store,
    claim: async (sessionId, groupIds, options) =>
      (await store.claim(sessionId, groupIds.map(map), options)).map((result, at) => ({ ...result, groupId: groupIds[at]! })),
    read: async (groupIds, options) =>
      (await store.read(groupIds.map(map), options)).map((view, at) => ({ ...view, groupId: groupIds[at]! })),
    release: async (sessionId, leases, options) =>
      (
        await store.release(
          sessionId,
          leases.map((lease) => ({ ...lease, groupId: map(lease.groupId) })),
          options,
        )
      ).map((result, at) => ({
        ...result,
        groupId: leases[at]!.groupId,
      })),
  };
}

/** Expiry by the client's own idea of time: `skewMs` later than the store's. */
function skewed(store: LeaseStore, database: MemoryDatabase, skewMs: () => number): LeaseStore {
  const shift = (sessionId: string): void => {
    const session = database.sessions.get(sessionId);
    if (session && !session.isClosed) session.expiresAt = (session.expiresAt + skewMs()) as StoreInstant;
  };
  return {
    ...store,
    openSession: async (session, options) => {
      await store.openSession(session, options);
      shift(session.sessionId);
    },
    heartbeat: async (request, options) => {
      const result = await store.heartbeat(request, options);
      if (result.alive) shift(request.sessionId);
      return result;
    },
  };
}

/** How far this process's `Date` is from the monotonic clock when the module is loaded: what a correct clock would show. */
const RIGHT_OFFSET_MS = dateMs() - storeNow();

function dateMs(): number {
  return new globalThis.Date().getTime();
}

/** How far the zone of the process is from UTC just now. */
function zoneMs(): number {
  return -new globalThis.Date().getTimezoneOffset() * 60_000;
}

function lockingInOrder(store: LeaseStore, locks: Map<string, Promise<void>>): LeaseStore {
  return {
    ...store,
    claim: async (sessionId, groupIds, options) => {
      const unlocks: (() => void)[] = [];
      for (const groupId of new Set(groupIds)) {
        while (locks.has(groupId)) await locks.get(groupId);
        locks.set(groupId, new Promise((resolve) => unlocks.push(() => [locks.delete(groupId), resolve()])));
        await Promise.resolve();
      }
      try {
        return await store.claim(sessionId, groupIds, options);
      } finally {
        for (const unlock of unlocks) unlock();
      }
    },
  };
}

const rowLocks = new WeakMap<MemoryDatabase, Map<string, Promise<void>>>();

function locksOf(database: MemoryDatabase): Map<string, Promise<void>> {
  const locks = rowLocks.get(database) ?? new Map<string, Promise<void>>();
  rowLocks.set(database, locks);
  return locks;
}

/** After an abort the connection still has the answer of the aborted call to give. */
function poisoned(store: LeaseStore): LeaseStore {
  let stale: Promise<readonly ClaimResult[]> | null = null;
  return {
    ...store,
    claim: (sessionId, groupIds, options) => {
      const answer = stale ?? store.claim(sessionId, groupIds);
      stale = null;
      const { signal } = options ?? {};
      if (signal === undefined) return answer;
      return new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => {
          stale = answer;
          reject(new StoreError('STORE_TIMEOUT', 'aborted', { isRetryable: true }));
        });
        // Over the network.
        void delay(2).then(() => answer.then(resolve, reject));
      });
    },
  };
}

/** Wrong clients of right data, or of data that a right client could not spoil. */
export const clientMutants: readonly Mutant[] = [
  {
    title: 'a claim that reads, then writes 1 ms later',
    killedBy: 'L4.1',
    client: (store, database) => readThenWrite(store, database, (body) => body()),
  },
  {
    title: 'a mutex in the process: right within one client, wrong between two',
    killedBy: 'L4.2',
    client: (store, database) => readThenWrite(store, database, mutex()),
  },
  {
    title: "the client's clock in the expiry",
    killedBy: 'T1.1',
    client: (store, database) => skewed(store, database, () => dateMs() - storeNow() - RIGHT_OFFSET_MS),
  },
  { title: 'a column without a zone', killedBy: 'T1.2', client: (store, database) => skewed(store, database, zoneMs) },
  {
    title: 'a fault is swallowed into "refused"',
    killedBy: 'T5.1',
    client: (store) => ({
      ...store,
      claim: (sessionId, groupIds, options) =>
        store
          .claim(sessionId, groupIds, options)
          .catch(() => groupIds.map((groupId): ClaimResult => ({ kind: 'refused', groupId, reason: 'busy' }))),
    }),
  },
  {
    title: 'a batch claim answers in the order of the table',
    killedBy: 'L1.9',
    client: (store) => ({
      ...store,
      claim: async (...args) => (await store.claim(...args)).toSorted((a, b) => (a.groupId < b.groupId ? -1 : 1)),
    }),
  },
  {
    title: 'a batch claim stops at the first refusal',
    killedBy: 'L1.9',
    client: (store) => ({
      ...store,
      claim: async (sessionId, groupIds, options) => {
        const results: ClaimResult[] = [];
        for (const groupId of groupIds) {
          const [result] = await store.claim(sessionId, [groupId], options);
          results.push(result!);
          if (result?.kind === 'refused') break;
        }
        return groupIds.map((groupId, at) => results[at] ?? { kind: 'refused', groupId, reason: 'busy' });
      },
    }),
  },
  {
    title: 'a batch claim reports partial success as full',
    killedBy: 'L1.9',
    client: (store) => ({
      ...store,
      claim: async (...args) => {
        const results = await store.claim(...args);
        const isAnyGranted = results.some((result) => result.kind === 'granted');
        return results.map((result): ClaimResult =>
          isAnyGranted && result.kind === 'refused' && result.reason === 'held'
            ? { kind: 'granted', groupId: result.groupId, term: result.holder.term, fresh: true }
            : result,
        );
      },
    }),
  },
  { title: 'a collation that folds case', killedBy: 'L1.11', client: (store) => mappingNames(store, (name) => name.toLowerCase()) },
  {
    title: 'a collation that folds accents',
    killedBy: 'L1.11',
    client: (store) => mappingNames(store, (name) => name.normalize('NFD').replaceAll(/\p{M}/gu, '') || name),
  },
  {
    title: 'a column that drops trailing blanks',
    killedBy: 'L1.11',
    client: (store) => mappingNames(store, (name) => name.trimEnd() || name),
  },
  { title: 'a column that cuts long names', killedBy: 'L1.11', client: (store) => mappingNames(store, (name) => name.slice(0, 200)) },
  {
    title: 'a hint is sent before the commit',
    killedBy: 'W1.1',
    client: (store, database) => {
      const hold = async <T>(groupIds: readonly string[], call: () => Promise<T>): Promise<T> => {
        for (const listener of hintListeners(database)) listener(groupIds);
        await delay(10);
        return await call();
      };
      return {
        ...store,
        watch: (onHint) => {
          const listener = (groupIds: readonly string[]): void => onHint({ groupIds });
          hintListeners(database).add(listener);
          return Promise.resolve({ [Symbol.asyncDispose]: () => Promise.resolve(void hintListeners(database).delete(listener)) });
        },
        claim: (sessionId, groupIds, options) => hold(groupIds, () => store.claim(sessionId, groupIds, options)),
        release: (sessionId, leases, options) =>
          hold(
            leases.map(({ groupId }) => groupId),
            () => store.release(sessionId, leases, options),
          ),
      };
    },
  },
  {
    title: 'a watch that goes on after it was disposed of',
    killedBy: 'W1.2',
    client: (store) => ({
      ...store,
      watch: async (onHint, options) => {
        await store.watch!(onHint, options);
        return { [Symbol.asyncDispose]: () => Promise.resolve() };
      },
    }),
  },
  {
    title: 'closeSession forgets the groups that are claimed meanwhile',
    killedBy: 'S3.2',
    // Leases are worth what their row says; the session is not asked.
    database: () =>
      new (class extends MemoryDatabase {
        override claim(sessionId: string, groupIds: readonly string[], nowMs: StoreInstant): readonly ClaimResult[] {
          const session = this.sessions.get(sessionId);
          const wasClosed = session?.isClosed === true;
          for (const other of this.sessions.values()) if (other.holds.size > 0 && other.expiresAt > nowMs) other.isClosed = false;
          if (session && wasClosed) session.isClosed = false;
          return super.claim(sessionId, groupIds, nowMs);
        }
      })(RETENTION_MS),
    client: (store) => ({
      ...store,
      claim: async (...args) => {
        await delay(1);
        return await store.claim(...args);
      },
    }),
  },
  {
    title: 'a grant to a session that died while its claim waited',
    killedBy: 'S3.2',
    client: (store, database) => ({
      ...store,
      claim: async (sessionId, groupIds, options) => {
        const session = database.sessions.get(sessionId);
        // Only claims of one group meet the lock that they have to wait for.
        if (groupIds.length > 1 || !database.isLive(session, storeNow())) return await store.claim(sessionId, groupIds, options);
        await delay(12);
        const { isClosed } = session;
        session.isClosed = false;
        for (const groupId of groupIds) if (isClosed && database.leases.has(groupId)) database.leases.get(groupId)!.holderId = null;
        const results = database.claim(sessionId, groupIds, storeNow());
        session.isClosed = isClosed;
        return results;
      },
    }),
  },
  {
    title: 'the clock is read before the wait for the lock: a heartbeat that came too late is let through',
    killedBy: 'L5.1',
    client: (store, database) => ({
      ...store,
      heartbeat: async (request, options) => {
        const readAt = storeNow();
        await delay(8);
        const session = database.sessions.get(request.sessionId);
        const result = database.heartbeat(request, readAt);
        if (result.alive && session) session.expiresAt = (storeNow() + session.ttlMs) as StoreInstant;
        return options?.signal?.aborted === true ? await store.heartbeat(request, options) : result;
      },
    }),
  },
  {
    title: 'a claim reads around a heartbeat that has not committed yet',
    killedBy: 'L5.1',
    client: (store, database) => ({
      ...store,
      heartbeat: async (request, options) => {
        const session = database.sessions.get(request.sessionId);
        const before = session?.expiresAt;
        const result = await store.heartbeat(request, options);
        if (!session || before === undefined || !result.alive) return result;
        const after = session.expiresAt;
        // Everybody else still sees the old row.
        session.expiresAt = before;
        await delay(8);
        session.expiresAt = after;
        return result;
      },
    }),
  },
  {
    title: 'rows are locked in the order of the request (deadlock)',
    killedBy: 'L4.6',
    client: (store, database) => lockingInOrder(store, locksOf(database)),
  },
  { title: 'an abort leaves the connection poisoned in the pool', killedBy: 'T5.2', client: poisoned },
  {
    title: 'an abort is not heeded',
    killedBy: 'T5.1',
    client: (store) => ({ ...store, heartbeat: (request) => store.heartbeat(request), members: () => store.members() }),
  },
  {
    title: 'close() closes the sessions, too',
    killedBy: 'T5.3',
    client: (store, database) => {
      const own = new Set<string>();
      return {
        ...store,
        openSession: async (session, options) => {
          await store.openSession(session, options);
          own.add(session.sessionId);
        },
        close: async () => {
          for (const sessionId of own) database.closeSession(sessionId, storeNow());
          await store.close();
        },
      };
    },
  },
  {
    title: 'a closed store works on',
    killedBy: 'T5.3',
    client: (store) => ({ ...store, close: () => Promise.resolve() }),
  },
  {
    title: 'migrate() empties the tables',
    killedBy: 'F20.1',
    client: (store, database) => ({
      ...store,
      migrate: async (options) => {
        await store.migrate(options);
        database.sessions.clear();
        database.leases.clear();
      },
    }),
  },
  {
    title: 'terms are lost with a table that does not last',
    killedBy: 'L2.2',
    client: (store, database) => ({
      ...store,
      capabilities: Object.freeze({ ...store.capabilities, durable: true }),
      close: async () => {
        await store.close();
        database.leases.clear();
      },
    }),
  },
  {
    title: 'a heartbeat answers about its holders once each',
    killedBy: 'S1.7',
    client: (store) => ({
      ...store,
      heartbeat: (request, options) => store.heartbeat({ ...request, holders: [...new Set(request.holders)] }, options),
    }),
  },
  {
    title: 'names are not checked',
    killedBy: 'L1.13',
    client: (store, database) => ({
      ...store,
      contend: (sessionId, groupIds) => Promise.resolve(database.contend(sessionId, groupIds, storeNow())),
    }),
  },
  { title: 'one table for all namespaces', killedBy: 'L1.7', dataOf: (namespace) => namespace.replace(/_2$/, '') },
  {
    title: 'a remaining time that is remembered, not read',
    killedBy: 'T1.3',
    client: (store) => {
      const remembered = new Map<string, number>();
      return {
        ...store,
        members: async (options) =>
          (await store.members(options)).map((member) => {
            if (!remembered.has(member.sessionId)) remembered.set(member.sessionId, member.remainingMs);
            return { ...member, remainingMs: remembered.get(member.sessionId)! };
          }),
      };
    },
  },
  {
    title: 'an empty batch is a fault',
    killedBy: 'L1.10',
    client: (store) => ({
      ...store,
      read: (groupIds, options) =>
        groupIds.length === 0
          ? Promise.reject(new StoreError('STORE_FAULT', 'syntax error at or near ")"'))
          : store.read(groupIds, options),
    }),
  },
  {
    title: 'a batch of more than 5,000 is cut',
    killedBy: 'L1.8',
    client: (store) => ({ ...store, claim: (sessionId, groupIds, options) => store.claim(sessionId, groupIds.slice(0, 5_000), options) }),
  },
  {
    title: 'answers are given to whoever asked first',
    killedBy: 'T5.4',
    client: (store) => {
      let shared: ReturnType<LeaseStore['claim']> | null = null;
      return {
        ...store,
        claim: (...args) => {
          shared ??= store.claim(...args).finally(() => {
            shared = null;
          });
          return shared;
        },
      };
    },
  },
  {
    title: 'a cache of held groups that forgets who asked',
    killedBy: 'T6.2',
    client: (store) => ({ ...store, held: async (sessionId, options) => ({ ...(await store.held(sessionId, options)), leases: [] }) }),
  },
  {
    title: 'capabilities that can be changed',
    killedBy: 'E1.2',
    client: (store) => ({ ...store, capabilities: { ...store.capabilities } }),
  },
  {
    title: 'missing tables are taken for a "no"',
    killedBy: 'E1.1',
    client: (store, database) => {
      const isMigrated = (): boolean => migrated.has(database);
      return {
        ...store,
        migrate: async (options) => {
          await store.migrate(options);
          migrated.add(database);
        },
        openSession: (session, options) =>
          isMigrated()
            ? store.openSession(session, options)
            : Promise.reject(new StoreError('STORE_NOT_MIGRATED', 'no table', { outcome: 'none' })),
        heartbeat: (request, options) => (isMigrated() ? store.heartbeat(request, options) : Promise.resolve({ alive: false })),
      };
    },
  },
];

const migrated = new WeakSet<MemoryDatabase>();

const listeners = new WeakMap<MemoryDatabase, Set<(groupIds: readonly string[]) => void>>();

function hintListeners(database: MemoryDatabase): Set<(groupIds: readonly string[]) => void> {
  const all = listeners.get(database) ?? new Set();
  listeners.set(database, all);
  return all;
}
