import { defineLeaseStoreConformance } from '@wb/conformance';
import { startGaleraCluster } from '@wb/test-servers';
import { afterAll, describe, expect, it } from 'vitest';
import { testCoordinators } from './coordinators.js';
import target from './targets/galera.js';

const cluster = await startGaleraCluster();

afterAll(async () => {
  if (typeof cluster !== 'string') await cluster.stop();
});

describe('galera: three servers that all take writes', () => {
  if (typeof cluster === 'string') {
    it('needs Docker', (context) => {
      context.skip(cluster);
      expect.unreachable();
    });
    return;
  }
  // The target, and the processes that its cases start, look here.
  const urls = cluster.nodes.map(({ url }) => url);
  process.env['WB_TEST_GALERA_URL'] = urls[0]!;
  process.env['WB_TEST_GALERA_URLS'] = urls.join(' ');

  defineLeaseStoreConformance({ describe, it }, target);

  describe('coordinators in several processes', () => {
    testCoordinators(target);
  });
});
