import type { ConformanceTarget } from '@wb/conformance';
import { postgresLeaseStore } from '@wb/postgres';
import { connectionString, dropTables, postgresNotes, sessionRetentionMs } from './postgres-tables.js';

/** Tables of their own for each namespace, as a target of the conformance suite. */
const target: ConformanceTarget = {
  name: 'postgres',
  // The built one, also when a test imports this file's source.
  module: new URL('../../dist/targets/postgres.js', import.meta.url).href,
  sessionRetentionMs,
  open: (namespace) => postgresLeaseStore({ connectionString: connectionString(), namespace, sessionRetentionMs }),
  drop: dropTables,
  notes: postgresNotes,
};

export default target;
