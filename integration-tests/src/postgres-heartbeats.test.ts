import { expect, it } from 'vitest';
import { describeServer } from './servers/describe-server.js';
import { openSession, PostgresBench } from './servers/postgres-bench.js';

/** So many that they fill several pages, which is where an update finds no room beside its old version. */
const SESSIONS = 300;
const ROUNDS = 3;

describeServer('postgres', 'what heartbeats leave behind', ({ url }) => {
  it('§8: heartbeats stay HOT, and neither the table of sessions nor its index grows', async () => {
    await using outer = new PostgresBench(url);
    const admin = await outer.client();
    // A database of its own: an open transaction of another test in the same one would keep every old version alive.
    const database = `${outer.namespace}hot`;
    await admin.query(`create database ${database}`);
    try {
      const own = new URL(url);
      own.pathname = `/${database}`;
      const bench = new PostgresBench(own.href);
      const store = await bench.migrated();
      const client = await bench.client();
      const sessionIds = Array.from({ length: SESSIONS }, (_session, at) => `session-${at}`);
      for (const sessionId of sessionIds) await openSession(store, sessionId);
      const round = async (): Promise<void> => {
        for (const sessionId of sessionIds) expect(await store.heartbeat({ sessionId, holders: [] })).toMatchObject({ alive: true });
      };
      const sizes = async (): Promise<unknown> => {
        const table = `'${bench.table('session')}'::regclass`;
        return (await client.query(`select pg_relation_size(${table}) as "table", pg_indexes_size(${table}) as indexes`)).rows[0];
      };
      const before = await sizes();
      for (let count = 0; count < ROUNDS; count += 1) await round();
      expect(await sizes()).toEqual(before);
      // Connections report what they did when they end.
      await store.close();
      let updates = { all: 0, hot: 0 };
      while (updates.all < ROUNDS * SESSIONS) {
        const { rows } = await client.query<{ all: string; hot: string }>(
          `select n_tup_upd as all, n_tup_hot_upd as hot from pg_stat_user_tables where relname = '${bench.namespace}session'`,
        );
        updates = { all: Number(rows[0]!.all), hot: Number(rows[0]!.hot) };
      }
      expect(updates.hot).toBe(updates.all);
      await bench.close();
    } finally {
      await admin.query(`drop database ${database} with (force)`);
    }
  });
});
