/** The package brings no types. This is what is used of it. */
declare module 'safe-redis-leader' {
  import type { Redis } from 'ioredis';

  export interface SafeRedisLeader {
    readonly elect: () => Promise<void>;
    readonly shutdown: () => Promise<void>;
    readonly on: (name: 'elected' | 'demoted' | 'error', listener: (error?: unknown) => void) => void;
  }

  export function createSafeRedisLeader(options: {
    readonly asyncRedis: Redis;
    readonly ttl: number;
    readonly wait: number;
    readonly key: string;
  }): Promise<SafeRedisLeader>;
}
