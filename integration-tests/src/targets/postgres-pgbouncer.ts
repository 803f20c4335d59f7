import type { ConformanceTarget } from '@wb/conformance';
import { postgresLeaseStore } from '@wb/postgres';
import { dropTables, postgresNotes, sessionRetentionMs } from './postgres-tables.js';

/** Behind a real PgBouncer in transaction mode, whose URL is in `WB_TEST_PGBOUNCER_URL`. */
const target: ConformanceTarget = {
  name: 'postgres behind PgBouncer',
  module: new URL('../../dist/targets/postgres-pgbouncer.js', import.meta.url).href,
  sessionRetentionMs,
  open: (namespace) =>
    postgresLeaseStore({ connectionString: process.env['WB_TEST_PGBOUNCER_URL']!, namespace, sessionRetentionMs, pooler: true }),
  drop: dropTables,
  notes: postgresNotes,
};

export default target;
