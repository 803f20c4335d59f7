import { defineLeaseStoreConformance } from '@wb/conformance';
import { describe, it } from 'vitest';
import { describeServer } from './servers/describe-server.js';
import target from './targets/mariadb.js';

describeServer('mariadb-older', 'the contract', ({ url, version }) => {
  // The target, and the processes that its cases start, look here.
  process.env['WB_TEST_MARIADB_URL'] = url;
  defineLeaseStoreConformance({ describe, it }, { ...target, name: version });
});
