import { mysqlLeaseStore } from '@wb/mysql';
import { createConnection } from 'mysql2/promise';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MemberDatabase } from '../target.js';

interface Queryable {
  query(sql: string, values: unknown[]): Promise<[unknown, unknown]>;
}

/** MySQL or MariaDB, as a member uses it. */
export function openMysql(url: string): MemberDatabase {
  const store = mysqlLeaseStore({ connectionString: url });
  return {
    store,
    hasOneLock: false,
    write: async ({ id, group, term, session }, { lease, maxHoldMs, pauseMs: [before, after], onInside }) => {
      const work = async (transaction: Queryable): Promise<number> => {
        onInside?.();
        await sleep(before);
        await transaction.query('insert into ledger (id, group_id, term, session_id) values (?, ?, ?, ?)', [id, group, term, session]);
        await sleep(after);
        const [rows] = await transaction.query('select count(*) as count from ledger where group_id = ? and term < ?', [group, term]);
        return (rows as { readonly count: number }[])[0]!.count;
      };
      return await (lease === null ? unfenced(url, work) : store.fenced(lease, work, { maxHoldMs }));
    },
    writeRun: async (transaction, { job, occurrence, scheduledAtMs, term }, when) => {
      const queryable = transaction as Queryable;
      if (when === 'unless-there') {
        const [rows] = await queryable.query('select count(*) as count from job_run where job = ? and occurrence = ?', [job, occurrence]);
        if ((rows as { readonly count: number }[])[0]!.count > 0) return;
      }
      await queryable.query('insert into job_run (job, occurrence, scheduled_at_ms, term) values (?, ?, ?, ?)', [
        job,
        occurrence,
        scheduledAtMs,
        term,
      ]);
    },
  };
}

async function unfenced(url: string, work: (transaction: Queryable) => Promise<number>): Promise<number> {
  const connection = await createConnection({ uri: url });
  connection.on('error', () => undefined);
  try {
    await connection.beginTransaction();
    const count = await work(connection);
    await connection.commit();
    return count;
  } finally {
    connection.destroy();
  }
}
