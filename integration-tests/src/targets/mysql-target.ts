import type { ConformanceTarget } from '@wb/conformance';
import { mysqlLeaseStore } from '@wb/mysql';
import { TABLE_NAMES } from '@wb/sql';
import { createConnection } from 'mysql2/promise';

/** Longer than the longest sequence of calls that a case makes with one session: a busy machine makes a transaction a matter of 10 ms. */
const sessionRetentionMs = 1_500;

/** A table prefix for each namespace, on the server whose URL is in `urlVariable`: the processes that a case starts inherit it. */
export function mysqlTarget(name: string, urlVariable: string): ConformanceTarget {
  const url = (): string => {
    const value = process.env[urlVariable];
    if (value === undefined) throw new Error(`${urlVariable} is not set: it says where the server of the target ${name} is`);
    return value;
  };
  return {
    name,
    // The built one, also when a test imports this file's source.
    module: new URL(`../../dist/targets/${name}.js`, import.meta.url).href,
    sessionRetentionMs,
    open: (namespace) => mysqlLeaseStore({ connectionString: url(), namespace, sessionRetentionMs }),
    drop: async (namespace) => {
      const connection = await createConnection({ uri: url() });
      for (const table of TABLE_NAMES) {
        await connection.query(`drop table if exists \`${namespace}${table}\``);
      }
      await connection.end();
    },
  };
}
