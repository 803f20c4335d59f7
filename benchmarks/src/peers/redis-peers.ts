import { Redlock, type Lock as RedlockLock } from '@sesamecare-oss/redlock';
import { Redis } from 'ioredis';
import { Mutex } from 'redis-semaphore';
import safeRedisLeader, { type SafeRedisLeader } from 'safe-redis-leader';
import { deferred } from '../measure/deferred.js';
import { countStatements } from './count-statements.js';
import type { Peer, PeerClient, PeerPlace } from './peer.js';

/** How often a standby looks where the library has no default, in ms: `redlock`'s. */
const LOOK_EVERY_MS = 200;

const ON_REDIS =
  'No term; what Redis granted is forgotten with an asynchronous failover, or by a crash without `appendfsync always`. One command in memory is cheaper than any durable commit.';

/** On one server. Its algorithm wants five. */
export const redlock: Peer = {
  name: '@sesamecare-oss/redlock',
  backing: 'redis',
  maxGroups: 10_000,
  differences: `${ON_REDIS} \`using()\` extends, and aborts a signal when that fails; expiry allows for clock drift. A standby polls every 200 ms, in no order. With five servers it survives the loss of two, and then costs five times as much; here it has one.`,
  open: (place) => Promise.resolve(redlockClient(place)),
};

/** `Mutex`, which extends by itself. */
export const redisSemaphore: Peer = {
  name: 'redis-semaphore',
  backing: 'redis',
  maxGroups: 10_000,
  differences: `${ON_REDIS} Extends by itself at 80 % of the TTL: one lost command, and it is over. A standby polls every 10 ms, which makes it quick and its idle standbys dear. It has semaphores, too.`,
  open: (place) => Promise.resolve(semaphoreClient(place)),
};

/** An elector with events. */
export const safeRedisLeaderPeer: Peer = {
  name: 'safe-redis-leader',
  backing: 'redis',
  maxGroups: 10_000,
  differences: `${ON_REDIS} A fault while extending ends the extending for good: it emits \`error\`, and the process goes on as leader until somebody calls \`elect()\` again. A standby polls at an interval that the user sets (200 ms here).`,
  open: (place) => Promise.resolve(leaderClient(place)),
};

function redlockClient({ url, namespace, ttlMs }: PeerPlace): PeerClient {
  const { redis, callCount, close } = connect(url);
  const redlocks = new Redlock([redis], { retryCount: -1, retryDelay: LOOK_EVERY_MS });
  redlocks.on('error', () => undefined);
  const held = new Map<string, RedlockLock>();
  return {
    acquire: async (group) => {
      try {
        held.set(group, await redlocks.acquire([`${namespace}${group}`], ttlMs, { retryCount: 0 }));
        return true;
      } catch {
        return false;
      }
    },
    release: (group) => held.get(group)!.release(),
    lead: async (group) => {
      const begun = deferred();
      const end = deferred();
      const over = redlocks.using([`${namespace}${group}`], ttlMs, async () => {
        begun.resolve();
        await end.promise;
      });
      await Promise.race([begun.promise, over]);
      return async () => {
        end.resolve();
        await over;
      };
    },
    callCount,
    close,
  };
}

function semaphoreClient({ url, namespace, ttlMs }: PeerPlace): PeerClient {
  const { redis, callCount, close } = connect(url);
  const held = new Map<string, Mutex>();
  const mutex = (group: string): Mutex => new Mutex(redis, `${namespace}${group}`, { lockTimeout: ttlMs, acquireTimeout: Infinity });
  return {
    acquire: async (group) => {
      const one = new Mutex(redis, `${namespace}${group}`, { lockTimeout: ttlMs, acquireAttemptsLimit: 1, refreshInterval: 0 });
      held.set(group, one);
      return await one.tryAcquire();
    },
    release: (group) => held.get(group)!.release(),
    lead: async (group) => {
      const one = mutex(group);
      await one.acquire();
      return () => one.release();
    },
    callCount,
    close,
  };
}

function leaderClient({ url, namespace, ttlMs }: PeerPlace): PeerClient {
  const { redis, callCount, close } = connect(url);
  const held = new Map<string, SafeRedisLeader>();
  const create = (group: string): Promise<SafeRedisLeader> =>
    safeRedisLeader.createSafeRedisLeader({ asyncRedis: redis, ttl: ttlMs, wait: LOOK_EVERY_MS, key: `${namespace}${group}` });
  return {
    acquire: async (group) => {
      const leader = await create(group);
      let isElected = false;
      leader.on('elected', () => (isElected = true));
      await leader.elect();
      if (isElected) held.set(group, leader);
      else await leader.shutdown();
      return isElected;
    },
    release: (group) => held.get(group)!.shutdown(),
    lead: async (group) => {
      const leader = await create(group);
      await new Promise<void>((resolve, reject) => {
        leader.on('elected', () => resolve());
        leader.on('error', reject);
        leader.elect().catch(reject);
      });
      return () => leader.shutdown();
    },
    callCount,
    close,
  };
}

function connect(url: string): { redis: Redis; callCount: () => number; close: () => Promise<unknown> } {
  const callCount = countStatements.redis();
  const redis = new Redis(url);
  return { redis, callCount, close: () => redis.quit() };
}
