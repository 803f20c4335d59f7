import type { LeaseStore } from '@wb/core';
import { mysqlLeaseStore } from '@wb/mysql';
import { createPool } from 'mysql2';
import { expect, it } from 'vitest';
import { describeServer } from './servers/describe-server.js';
import { describeMysql } from './servers/mysql-lab.js';
import { PostgresBench } from './servers/postgres-bench.js';

const TTL_MS = 500;
/** To set the clock back by this is to put off every expiry by as much. */
const STEP_MS = 3_600_000;

async function holderMs(store: LeaseStore): Promise<number> {
  const heartbeat = await store.heartbeat({ sessionId: 'standby', holders: ['holder'] });
  return heartbeat.alive ? heartbeat.holders[0]!.remainingMs : Number.NaN;
}

/** The sessions `holder`, which leads `group`, and `standby`, which goes on. */
async function openBoth(store: LeaseStore): Promise<void> {
  await store.openSession({ sessionId: 'holder', memberId: 'holder', ttlMs: TTL_MS });
  await store.openSession({ sessionId: 'standby', memberId: 'standby', ttlMs: 600_000 });
  await store.claim('holder', ['group']);
}

/** What happens when the clock is set back and the holder never comes again. */
async function expectSuccession(store: LeaseStore): Promise<void> {
  // Not believed: it is for a claim to look.
  expect(await holderMs(store)).toBe(0);
  const [refused] = await store.claim('standby', ['group']);
  expect(refused).toMatchObject({ kind: 'refused', reason: 'held', holder: { sessionId: 'holder' } });
  const remainingMs = await holderMs(store);
  expect(remainingMs).toBeGreaterThan(0);
  expect(remainingMs).toBeLessThanOrEqual(TTL_MS);
  while ((await holderMs(store)) > 0);
  expect(await store.claim('standby', ['group'])).toEqual([{ kind: 'granted', groupId: 'group', term: 2, fresh: true }]);
}

/** What happens when it goes on: its own next heartbeat puts everything right. */
async function expectNoChange(store: LeaseStore): Promise<void> {
  expect(await store.heartbeat({ sessionId: 'holder', holders: [] })).toMatchObject({ alive: true });
  const remainingMs = await holderMs(store);
  expect(remainingMs).toBeGreaterThan(0);
  expect(remainingMs).toBeLessThanOrEqual(TTL_MS);
  expect(await store.claim('standby', ['group'])).toMatchObject([{ kind: 'refused', reason: 'held' }]);
}

const CASES = [
  ['T9: a leader that died when the clock was set back is succeeded a TTL after a standby has noticed', expectSuccession],
  ['T9: a leader that lives when the clock is set back goes on', expectNoChange],
] as const;

describeServer('postgres', 'a clock that is set back', ({ url }) => {
  it.each(CASES)('%s', async (_, expectAfterwards) => {
    expect.hasAssertions();
    await using bench = new PostgresBench(url);
    const store = await bench.migrated();
    await openBoth(store);
    const client = await bench.client();
    await client.query(`update ${bench.table('session')} set expires_at_ms = expires_at_ms + ${STEP_MS} where session_id = 'holder'`);
    await expectAfterwards(store);
  });
});

describeMysql('a clock that is set back', (lab) => {
  for (const way of ['in one packet', 'statement by statement'] as const) {
    it.each(CASES)(`%s (${way})`, async (_, expectAfterwards) => {
      expect.hasAssertions();
      const own = await lab().store();
      const pool = createPool({ uri: lab().url });
      lab().onEnd(() => pool.promise().end());
      const store = way === 'in one packet' ? own : mysqlLeaseStore({ pool, namespace: lab().namespace });
      await openBoth(store);
      const connection = await lab().connection();
      await connection.query(`update ${lab().table('session')} set expires_at_ms = expires_at_ms + ${STEP_MS} where session_id = 'holder'`);
      await expectAfterwards(store);
    });
  }
});
