import { postgresLeaseStore } from '@wb/postgres';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { MemberDatabase } from '../target.js';

interface Queryable {
  query(text: string, values: unknown[]): Promise<{ readonly rows: readonly unknown[] }>;
}

/** PostgreSQL, as a member uses it. */
export function openPostgres(url: string): MemberDatabase {
  const store = postgresLeaseStore({ connectionString: url });
  return {
    store,
    hasOneLock: false,
    write: async ({ id, group, term, session }, { lease, maxHoldMs, pauseMs: [before, after], onInside }) => {
      const work = async (transaction: Queryable): Promise<number> => {
        onInside?.();
        await sleep(before);
        await transaction.query('insert into ledger (id, group_id, term, session_id) values ($1, $2, $3, $4)', [id, group, term, session]);
        await sleep(after);
        const { rows } = await transaction.query('select count(*)::int as count from ledger where group_id = $1 and term < $2', [
          group,
          term,
        ]);
        return (rows as { readonly count: number }[])[0]!.count;
      };
      return await (lease === null ? unfenced(url, work) : store.fenced(lease, work, { maxHoldMs }));
    },
    writeRun: async (transaction, { job, occurrence, scheduledAtMs, term }, when) => {
      await (transaction as Queryable).query(
        `insert into job_run (job, occurrence, scheduled_at_ms, term) select $1, $2, $3, $4
        ${when === 'always' ? '' : 'where not exists (select 1 from job_run where job = $1 and occurrence = $2)'}`,
        [job, occurrence, scheduledAtMs, term],
      );
    },
  };
}

async function unfenced(url: string, work: (transaction: Queryable) => Promise<number>): Promise<number> {
  const client = await connectToPrimary(url);
  try {
    await client.query('begin');
    const count = await work(client);
    await client.query('commit');
    return count;
  } finally {
    void client.end();
  }
}

/** `pg` by itself takes a URL of one host. */
async function connectToPrimary(url: string): Promise<pg.Client> {
  const [all, hosts = ''] = /@([^/]+)\//.exec(url) ?? [];
  let fault: unknown = new Error('none of the servers takes writes');
  for (const host of hosts.split(',')) {
    const client = new pg.Client({ connectionString: url.replace(all ?? '', `@${host}/`) });
    client.on('error', () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<{ transaction_read_only: string }>('show transaction_read_only');
      if (rows[0]?.transaction_read_only === 'off') return client;
    } catch (error) {
      fault = error;
    }
    void client.end();
  }
  throw fault;
}
