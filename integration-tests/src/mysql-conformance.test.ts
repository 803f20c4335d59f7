import { defineLeaseStoreConformance } from '@wb/conformance';
import { describe, it } from 'vitest';
import { describeServer } from './servers/describe-server.js';
import target from './targets/mysql.js';

describeServer('mysql', 'the contract', () => {
  defineLeaseStoreConformance({ describe, it }, target);
});
