import { mysqlLeaseStore } from '@wb/mysql';
import { createPool } from 'mysql2';
import { expect, it } from 'vitest';
import { describeMysql } from './servers/mysql-lab.js';
import { TcpProxy } from '@wb/test-servers';

const DEADLINE_MS = 300;
const SLACK_MS = 300;

/** How long it took to be rejected. */
async function rejectedAfter(call: (signal: AbortSignal) => Promise<unknown>, code = 'STORE_TIMEOUT'): Promise<number> {
  const startedAt = performance.now();
  await expect(call(AbortSignal.timeout(DEADLINE_MS))).rejects.toMatchObject({ code, isRetryable: true });
  return performance.now() - startedAt;
}

/** Sockets of this process, those of the proxy aside: a peer that does not answer does not close its end either. */
function ownSockets(proxy: TcpProxy): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length - proxy.socketCount;
}

describeMysql('deadlines', (lab) => {
  for (const way of ['own connections', "the user's pool"] as const) {
    it(`F11: a black hole costs each call its deadline, leaves no connection behind, and is recovered from at once (${way})`, async () => {
      const proxy = await TcpProxy.start(lab().url);
      lab().onEnd(() => proxy.stop());
      const atRest = ownSockets(proxy);
      const pool = createPool({ uri: proxy.url, multipleStatements: true, connectionLimit: 2, connectTimeout: DEADLINE_MS });
      lab().onEnd(async () => pool.end());
      const store = way === 'own connections' ? await lab().store(proxy.url) : mysqlLeaseStore({ pool, namespace: lab().namespace });
      await store.migrate();
      await store.openSession({ sessionId: 's', memberId: 'm', ttlMs: 600_000 });
      // Half open: the connections that are there die without a word.
      proxy.blackHole();
      for (let round = 0; round < 4; round += 1) {
        const took = await rejectedAfter(async (signal) => {
          try {
            return await store.heartbeat({ sessionId: 's', holders: [] }, { signal });
          } catch (error) {
            // The pool's own limit for connecting is the same: either may be first.
            if (error instanceof Error && error.message.includes('ETIMEDOUT')) throw Object.assign(error, { code: 'STORE_TIMEOUT' });
            throw error;
          }
        });
        expect(took).toBeLessThan(DEADLINE_MS + SLACK_MS);
      }
      // A pool of the user's keeps those that it is still making, within its own limit.
      await expect.poll(() => ownSockets(proxy) - atRest).toBeLessThanOrEqual(way === 'own connections' ? 0 : 2);
      proxy.heal();
      expect(await store.heartbeat({ sessionId: 's', holders: [] }, { signal: AbortSignal.timeout(2_000) })).toMatchObject({ alive: true });
      expect(await store.claim('s', ['g'])).toMatchObject([{ kind: 'granted', term: 1 }]);
    });
  }

  it('F11: many calls at once into a black hole open no more connections than the limit', async () => {
    const proxy = await TcpProxy.start(lab().url);
    lab().onEnd(() => proxy.stop());
    const store = mysqlLeaseStore({ connectionString: proxy.url, namespace: lab().namespace });
    lab().onEnd(() => store.close());
    proxy.blackHole();
    const calls = Array.from({ length: 40 }, () => rejectedAfter((signal) => store.members({ signal })));
    await expect.poll(() => proxy.openCount).toBeGreaterThan(0);
    expect(proxy.openCount).toBeLessThanOrEqual(4);
    for (const took of await Promise.all(calls)) expect(took).toBeLessThan(DEADLINE_MS + 2 * SLACK_MS);
  });

  it('T5: a call that waits for a row settles within its deadline, and its connection is ended', async () => {
    const store = await lab().store();
    await store.openSession({ sessionId: 's', memberId: 'm', ttlMs: 600_000 });
    const connection = await lab().connection();
    await connection.query('start transaction');
    await connection.query(`select * from ${lab().table('session')} where session_id = 's' for update`);
    const took = await rejectedAfter((signal) => store.heartbeat({ sessionId: 's', holders: [] }, { signal }));
    expect(took).toBeLessThan(DEADLINE_MS + SLACK_MS);
    await connection.query('commit');
    expect(await store.heartbeat({ sessionId: 's', holders: [] })).toMatchObject({ alive: true });
  });

  it('F17: a server that is not there is told apart from one that says no', async () => {
    const store = mysqlLeaseStore({ connectionString: 'mysql://root@127.0.0.1:1/test' });
    await expect(store.members()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', isRetryable: true, outcome: 'none' });
    const url = new URL(lab().url);
    url.password = 'wrong';
    url.username = 'nobody';
    const refused = mysqlLeaseStore({ connectionString: url.href });
    await expect(refused.members()).rejects.toMatchObject({ code: 'STORE_REFUSED', isRetryable: false, outcome: 'none' });
    await Promise.all([store.close(), refused.close()]);
  });
});
