import { defineLeaseStoreConformance } from '@wb/conformance';
import { describe, it } from 'vitest';
import { describeServer } from './servers/describe-server.js';
import target from './targets/mariadb.js';

describeServer('mariadb', 'the contract', () => {
  defineLeaseStoreConformance({ describe, it }, target);
});
