import { defineLeaseStoreConformance } from '@wb/conformance';
import { describe, it } from 'vitest';
import { describeServer } from './servers/describe-server.js';
import pool from './targets/postgres-pool.js';
import pooler from './targets/postgres-pooler.js';
import direct from './targets/postgres.js';

describeServer('postgres', 'the contract', () => {
  for (const target of [direct, pooler, pool]) defineLeaseStoreConformance({ describe, it }, target);
});
