import { defineLeaseStoreConformance } from '@wb/conformance';
import { describe, it } from 'vitest';
import { describePostgres } from './servers/describe-postgres.js';
import pool from './targets/postgres-pool.js';
import pooler from './targets/postgres-pooler.js';
import direct from './targets/postgres.js';

await describePostgres('the contract', ({ url }) => {
  // The targets, and the processes that their cases start, look here.
  process.env['WB_TEST_POSTGRES_URL'] = url;
  for (const target of [direct, pooler, pool]) defineLeaseStoreConformance({ describe, it }, target);
});
