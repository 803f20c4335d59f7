import { defineLeaseStoreConformance } from '@wb/conformance';
import { afterAll, describe, it } from 'vitest';
import { startMysqlServer } from './servers/mysql-server.js';
import target from './targets/mariadb.js';

const server = await startMysqlServer('mariadb');

describe.skipIf(server.url === null)(`mariadb${server.url === null ? `: ${server.skipReason}` : ''}`, () => {
  defineLeaseStoreConformance({ describe, it }, target);
});

afterAll(async () => {
  if (server.url !== null) await server.stop();
});
