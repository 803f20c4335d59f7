/**
 * A leader in a process of its own that writes one row under its fence, and freezes itself on the way, as a suspended machine would.
 *
 * @module
 */
import { mysqlLeaseStore } from '@wb/mysql';
import { postgresLeaseStore } from '@wb/postgres';
import { sqliteLeaseStore } from '@wb/sqlite';
import { createPool } from 'mysql2';
import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import type { WriterMessage, WriterStart } from '../fences/writer-messages.js';

const { kind, url, namespace, table, lease, point } = JSON.parse(process.argv[2]!) as WriterStart;
const INSERT = `insert into ${table} values (1)`;
const HOLD = { maxHoldMs: 1_000 };

/** Returns when it has been thawed: nothing of this process runs meanwhile. */
async function freeze(): Promise<void> {
  await tell({ kind: 'freezes' });
  process.kill(process.pid, 'SIGSTOP');
}

const writers: Readonly<Record<WriterStart['kind'], () => Promise<void>>> = {
  postgres: async () => {
    const store = postgresLeaseStore({ connectionString: url, namespace });
    if (point === 'looked') {
      await store.fenced(
        lease,
        async (trx) => {
          await trx.query(INSERT);
          await freeze();
        },
        HOLD,
      );
      return;
    }
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => undefined);
    await client.connect();
    await client.query('begin');
    await client.query(INSERT);
    await store.fence(client, lease);
    await freeze();
    await client.query('commit');
  },
  mysql: async () => {
    if (point === 'fenced') {
      const store = mysqlLeaseStore({ connectionString: url, namespace, hints: false });
      const connection = await createConnection(url);
      await connection.query('set session wait_timeout = 1');
      await connection.query('start transaction');
      await connection.query(INSERT);
      await store.fence(connection, lease);
      await freeze();
      await connection.query('commit');
      return;
    }
    if (point === 'looked') {
      const store = mysqlLeaseStore({ connectionString: url, namespace, hints: false });
      await store.fenced(
        lease,
        async (trx) => {
          await trx.query(INSERT);
          await freeze();
        },
        HOLD,
      );
      return;
    }
    // A pool that takes one statement at a time: between the fence and the commit there is a moment.
    let isFencing = false;
    const pool = createPool({ uri: url });
    pool.on('connection', (connection) => {
      const query = connection.query.bind(connection) as (...values: readonly unknown[]) => unknown;
      Object.assign(connection, {
        query: (...values: readonly unknown[]) => {
          const sql = String(Reflect.get(Object(values[0]), 'sql'));
          isFencing ||= sql.startsWith('release savepoint');
          if (!isFencing || !sql.startsWith('commit')) return query(...values);
          void freeze().then(() => void query(...values));
          return undefined;
        },
      });
    });
    const store = mysqlLeaseStore({ pool, namespace });
    await store.fenced(lease, async (trx) => await trx.query(INSERT), HOLD);
  },
  sqlite: async () => {
    const store = sqliteLeaseStore({ filename: url, namespace });
    await store.fenced(lease, async (trx) => {
      trx.exec(INSERT);
      await freeze();
    });
  },
};

try {
  await writers[kind]();
  await tell({ kind: 'ended', isCommitted: true, code: null, message: '' });
} catch (error) {
  const code: unknown = Reflect.get(Object(error), 'code');
  await tell({ kind: 'ended', isCommitted: false, code: typeof code === 'string' ? code : null, message: String(error) });
}
process.exit();

/** Resolves when it was sent: what freezes next must not keep it. */
async function tell(message: WriterMessage): Promise<void> {
  await new Promise<void>((resolve) => void process.send!(message, () => resolve()));
}
