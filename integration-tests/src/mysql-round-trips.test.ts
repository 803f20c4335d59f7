import type { LeaseStore } from '@wb/core';
import { mysqlLeaseStore } from '@wb/mysql';
import { createPool } from 'mysql2';
import { createPool as createPromisePool } from 'mysql2/promise';
import { expect, it } from 'vitest';
import { describeMysql, type MysqlLab } from './servers/mysql-lab.js';
import { TcpProxy } from '@wb/test-servers';

const WAYS = [
  { name: 'own connections', limit: 1 },
  { name: 'a pool with multipleStatements', limit: 1 },
  { name: 'a promise pool without', limit: 2 },
] as const;

async function storeOf(lab: MysqlLab, way: (typeof WAYS)[number]['name'], url: string): Promise<LeaseStore> {
  const { namespace } = lab;
  if (way === 'own connections') return await lab.store(url);
  const pool = way === 'a promise pool without' ? createPromisePool({ uri: url }) : createPool({ uri: url, multipleStatements: true });
  lab.onEnd(async () => void pool.end());
  const store = mysqlLeaseStore({ pool, namespace });
  await store.migrate();
  return store;
}

describeMysql('round trips', (lab) => {
  for (const { name, limit } of WAYS) {
    it(`a heartbeat takes at most ${limit} with 1, 100 and 10,000 groups, leading or standing by (${name})`, async () => {
      const proxy = await TcpProxy.start(lab().url);
      lab().onEnd(() => proxy.stop());
      const store = await storeOf(lab(), name, proxy.url);
      const helper = await lab().store();
      for (const count of [1, 100, 10_000]) {
        const [leader, standby] = [`leader-${count}`, `standby-${count}`];
        for (const sessionId of [leader, standby]) await helper.openSession({ sessionId, memberId: sessionId, ttlMs: 600_000 });
        const groupIds = Array.from({ length: count }, (_, at) => `group-${count}-${at}`);
        const granted = await helper.claim(leader, groupIds);
        expect(granted.filter(({ kind }) => kind !== 'granted')).toEqual([]);
        await helper.contend(standby, groupIds);
        // The first one may connect.
        await store.heartbeat({ sessionId: leader, holders: [] });
        for (const request of [
          { sessionId: leader, holders: [] },
          { sessionId: standby, holders: [leader] },
        ]) {
          proxy.roundTripCount = 0;
          expect(await store.heartbeat(request)).toMatchObject({
            alive: true,
            holders: request.holders.map((sessionId) => ({ sessionId })),
          });
          expect(proxy.roundTripCount).toBeGreaterThan(0);
          expect(proxy.roundTripCount).toBeLessThanOrEqual(limit);
        }
      }
    });
  }

  it('the claim of an occurrence takes one round trip with own connections', async () => {
    const proxy = await TcpProxy.start(lab().url);
    lab().onEnd(() => proxy.stop());
    const store = await lab().store(proxy.url);
    const lease = { sessionId: 'leader', term: 1 };
    await store.openSession({ sessionId: 'leader', memberId: 'leader', ttlMs: 600_000 });
    await store.claim('leader', ['group']);
    for (const expectedVersion of [0, 1]) {
      proxy.roundTripCount = 0;
      const write = { groupId: 'group', jobId: 'job', lease, expectedVersion, writeId: `w${expectedVersion}`, record: 'r' };
      expect(await store.writeJob?.(write)).toEqual({ kind: 'written', version: expectedVersion + 1 });
      expect(proxy.roundTripCount).toBe(1);
    }
  });

  it("a pool of the user's is not closed with the store, and gets its connections back as they were", async () => {
    const pool = createPool({ uri: lab().url, multipleStatements: true, connectionLimit: 1 });
    lab().onEnd(() => pool.promise().end());
    const settings = 'select @@autocommit as a, @@sql_mode as b, @@time_zone as c, @@innodb_lock_wait_timeout as d';
    const [before] = await pool.promise().query(settings);
    const store = mysqlLeaseStore({ pool, namespace: lab().namespace });
    await store.migrate();
    await store.openSession({ sessionId: 's', memberId: 'm', ttlMs: 60_000 });
    await store.claim('s', ['g']);
    await store.close();
    await expect(store.members()).rejects.toMatchObject({ code: 'STORE_CLOSED' });
    const [after] = await pool.promise().query(settings);
    expect(after).toEqual(before);
    const [open] = await pool
      .promise()
      .query('select count(*) as n from information_schema.innodb_trx where trx_mysql_thread_id = connection_id()');
    expect(open).toEqual([{ n: 0 }]);
  });
});
