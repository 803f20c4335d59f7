import type { ConformanceTarget } from '@wb/conformance';
import { postgresLeaseStore } from '@wb/postgres';
import pg from 'pg';

/** The processes that a case starts inherit it. */
const connectionString = process.env['WB_TEST_POSTGRES_URL'] ?? 'postgres://postgres@127.0.0.1:5432/test';
const sessionRetentionMs = 150;

/** Tables of their own for each namespace, as a target of the conformance suite. */
const target: ConformanceTarget = {
  name: 'postgres',
  // The built one, also when a test imports this file's source.
  module: new URL('../../dist/targets/postgres.js', import.meta.url).href,
  sessionRetentionMs,
  open: (namespace) => postgresLeaseStore({ connectionString, namespace, sessionRetentionMs }),
  drop: async (namespace) => {
    const client = new pg.Client({ connectionString });
    await client.connect();
    const tables = ['session', 'lease', 'contender', 'migration'].map((name) => `"${namespace}${name}"`);
    await client.query(`drop table if exists ${tables.join(', ')}`);
    await client.end();
  },
};

export default target;
