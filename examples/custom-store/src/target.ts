import type { ConformanceTarget } from '@wb/conformance';
import { createClient } from 'redis';
import { redisLeaseStore } from './index.js';

const url = process.env['WB_TEST_REDIS_URL'] ?? 'redis://127.0.0.1:6379';
const sessionRetentionMs = 1_000;

/** The store as a target of the conformance suite, on the server of `WB_TEST_REDIS_URL` (default: redis://127.0.0.1:6379). */
const target: ConformanceTarget = {
  name: 'redis',
  module: import.meta.url,
  sessionRetentionMs,
  open: (namespace) => redisLeaseStore({ url, namespace, sessionRetentionMs }),
  drop: async (namespace) => {
    const client = await createClient({ url }).connect();
    for await (const keys of client.scanIterator({ MATCH: `{${namespace}}:*`, COUNT: 1_000 })) {
      if (keys.length > 0) await client.unlink(keys);
    }
    await client.close();
  },
};

export default target;
