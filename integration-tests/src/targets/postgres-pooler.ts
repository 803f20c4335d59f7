import type { ConformanceTarget } from '@wb/conformance';
import { postgresLeaseStore } from '@wb/postgres';
import { connectionString, dropTables, postgresNotes, sessionRetentionMs } from './postgres-tables.js';

/** What is sent when there is said to be a pooler: it must be as right without one. */
const target: ConformanceTarget = {
  name: 'postgres, told of a pooler',
  module: new URL('../../dist/targets/postgres-pooler.js', import.meta.url).href,
  sessionRetentionMs,
  open: (namespace) => postgresLeaseStore({ connectionString: connectionString(), namespace, sessionRetentionMs, pooler: true }),
  drop: dropTables,
  notes: postgresNotes,
};

export default target;
