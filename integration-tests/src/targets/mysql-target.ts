import type { ConformanceTarget } from '@wb/conformance';
import { mysqlLeaseStore, type MysqlTransaction } from '@wb/mysql';
import { TABLE_NAMES } from '@wb/sql';
import { createConnection } from 'mysql2/promise';

/** Longer than the longest sequence of calls that a case makes with one session: a busy machine makes a transaction a matter of 10 ms. */
const sessionRetentionMs = 1_500;

interface Note {
  readonly note: string;
}

/** A table prefix for each namespace, on the server whose URL is in `urlVariable`: the processes that a case starts inherit it. */
export function mysqlTarget(name: string, urlVariable: string): ConformanceTarget {
  const url = (): string => {
    const value = process.env[urlVariable];
    if (value === undefined) throw new Error(`${urlVariable} is not set: it says where the server of the target ${name} is`);
    return value;
  };
  const query = async (text: string): Promise<unknown> => {
    const connection = await createConnection({ uri: url() });
    try {
      return (await connection.query(text))[0];
    } finally {
      await connection.end();
    }
  };
  return {
    name,
    // The built one, also when a test imports this file's source.
    module: new URL(`../../dist/targets/${name}.js`, import.meta.url).href,
    sessionRetentionMs,
    open: (namespace) => mysqlLeaseStore({ connectionString: url(), namespace, sessionRetentionMs }),
    drop: async (namespace) => {
      for (const table of [...TABLE_NAMES, 'note']) await query(`drop table if exists \`${namespace}${table}\``);
    },
    notes: {
      prepare: async (namespace) => void (await query(`create table \`${namespace}note\` (note varchar(255) not null)`)),
      write: async (transaction, namespace, note) => {
        await (transaction as MysqlTransaction).query(`insert into \`${namespace}note\` (note) values (?)`, [note]);
      },
      see: async (transaction, namespace) => {
        const [rows] = (await (transaction as MysqlTransaction).query(`select note from \`${namespace}note\``)) as [
          readonly Note[],
          unknown,
        ];
        return rows.map(({ note }) => note);
      },
      read: async (namespace) => ((await query(`select note from \`${namespace}note\``)) as readonly Note[]).map(({ note }) => note),
    },
  };
}
