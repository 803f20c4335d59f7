import { defineLeaseStoreConformance } from '@wb/conformance';
import { afterAll, describe, it } from 'vitest';
import { startMysqlServer } from './servers/mysql-server.js';
import target from './targets/mysql.js';

const server = await startMysqlServer('mysql');

if (server.url === null) {
  describe('mysql', () => {
    it.skip(`keeps the contract: ${server.skipReason}`, () => undefined);
  });
} else {
  defineLeaseStoreConformance({ describe, it }, target);
  afterAll(() => server.stop());
}
