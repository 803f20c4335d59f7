import { defineLeaseStoreConformance } from '@wb/conformance';
import { describe, it } from 'vitest';
import { describeServer } from './servers/describe-server.js';
import target from './targets/postgres.js';

describeServer('postgres-older', 'the contract', ({ url, version }) => {
  // The target, and the processes that its cases start, look here.
  process.env['WB_TEST_POSTGRES_URL'] = url;
  defineLeaseStoreConformance({ describe, it }, { ...target, name: version });
});
