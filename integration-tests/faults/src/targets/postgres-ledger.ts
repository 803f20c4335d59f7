import pg from 'pg';
import type { FencedWrite, Ledger } from '../target.js';

/** The ledger of a member, over a small pool of its own. */
export function openPostgresLedger(url: string, deadlineMs: number): Ledger {
  const pool = new pg.Pool({
    connectionString: url,
    max: 4,
    connectionTimeoutMillis: deadlineMs / 2,
    query_timeout: deadlineMs / 2,
    // What bounds the fence's hold: a member that is frozen in its transaction is thrown out (T8).
    idle_in_transaction_session_timeout: Math.round(deadlineMs / 2),
    lock_timeout: Math.round(deadlineMs / 4),
  });
  pool.on('error', () => undefined);
  // One that is in use is not the pool's to watch.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return {
    write: async (write) => {
      const client = await pool.connect();
      let isGood = false;
      try {
        const outcome = await writeFenced(client, write);
        isGood = true;
        return outcome;
      } finally {
        client.release(!isGood);
      }
    },
    close: () => pool.end(),
  };
}

async function writeFenced(client: pg.PoolClient, { id, group, term, session }: FencedWrite): Promise<'written' | 'refused'> {
  await client.query('begin');
  const { rowCount } = await client.query({
    name: 'fence',
    text: 'select 1 from wb_lease where group_id = $1 and term = $2 and session_id = $3 for share',
    values: [group, term, session],
  });
  if (rowCount === 0) {
    await client.query('rollback');
    return 'refused';
  }
  await client.query({
    name: 'write',
    text: 'insert into ledger (id, group_id, term, session_id) values ($1, $2, $3, $4)',
    values: [id, group, term, session],
  });
  await client.query('commit');
  return 'written';
}
