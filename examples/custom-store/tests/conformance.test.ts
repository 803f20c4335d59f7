import { defineLeaseStoreConformance, type ConformanceTarget } from '@wb/conformance';
import { afterAll, describe, expect, it } from 'vitest';
import { startRedis } from './redis-server.js';

const server = await startRedis();

if (server === null) {
  describe('the Redis store', () => {
    it('keeps the contract', (context) => {
      expect(server).toBeNull();
      context.skip('there is no redis-server on this machine, and no WB_TEST_REDIS_URL');
    });
  });
} else {
  // The target, and the processes that its cases start, look here.
  process.env['WB_TEST_REDIS_URL'] = server.url;
  // The built one: other processes import it, too.
  const built = (await import(new URL('../dist/target.js', import.meta.url).href)) as { readonly default: ConformanceTarget };
  defineLeaseStoreConformance({ describe, it }, built.default);
  afterAll(() => server.stop());
}
