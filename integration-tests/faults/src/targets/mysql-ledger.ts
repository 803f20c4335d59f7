import { createPool, type PoolConnection, type ResultSetHeader, type RowDataPacket } from 'mysql2/promise';
import type { FencedWrite, Ledger } from '../target.js';

/** The ledger of a member, over a small pool of its own. */
export function openMysqlLedger(url: string, deadlineMs: number): Ledger {
  const pool = createPool({ uri: url, connectionLimit: 4, connectTimeout: deadlineMs / 2 });
  const prepared = new WeakSet<object>();
  return {
    write: async (write) => {
      const connection = await pool.getConnection();
      let isGood = false;
      // Whatever hangs, hangs no longer than this.
      const limit = setTimeout(() => connection.destroy(), deadlineMs);
      try {
        if (!prepared.has(connection.connection)) {
          // What bounds the fence's hold: a member that is frozen in its transaction is thrown out (T8).
          await connection.query('set session wait_timeout = 1, innodb_lock_wait_timeout = 1, transaction_isolation = "READ-COMMITTED"');
          prepared.add(connection.connection);
        }
        const outcome = await writeFenced(connection, write);
        isGood = true;
        return outcome;
      } finally {
        clearTimeout(limit);
        if (isGood) connection.release();
        else connection.destroy();
      }
    },
    close: () => pool.end(),
  };
}

async function writeFenced(connection: PoolConnection, { id, group, term, session }: FencedWrite): Promise<'written' | 'refused'> {
  await connection.query('start transaction');
  const [rows] = await connection.query<RowDataPacket[]>(
    'select 1 from wb_lease where group_id = ? and term = ? and session_id = ? lock in share mode',
    [group, term, session],
  );
  if (rows.length === 0) {
    await connection.query('rollback');
    return 'refused';
  }
  await connection.query<ResultSetHeader>('insert into ledger (id, group_id, term, session_id) values (?, ?, ?, ?)', [
    id,
    group,
    term,
    session,
  ]);
  await connection.query('commit');
  return 'written';
}
