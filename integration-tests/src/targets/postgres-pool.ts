import type { ConformanceTarget } from '@wb/conformance';
import { postgresLeaseStore } from '@wb/postgres';
import pg from 'pg';
import { connectionString, dropTables, postgresNotes, sessionRetentionMs } from './postgres-tables.js';

/** A pool made for the store, whose sessions have the defaults that are the worst for it. */
const target: ConformanceTarget = {
  name: 'postgres, with a pool',
  module: new URL('../../dist/targets/postgres-pool.js', import.meta.url).href,
  sessionRetentionMs,
  open: (namespace) =>
    postgresLeaseStore({
      pool: () =>
        new pg.Pool({
          connectionString: connectionString(),
          max: 4,
          options: '-c default_transaction_isolation=serializable -c synchronous_commit=off -c standard_conforming_strings=off',
        }),
      namespace,
      sessionRetentionMs,
    }),
  drop: dropTables,
  notes: postgresNotes,
};

export default target;
