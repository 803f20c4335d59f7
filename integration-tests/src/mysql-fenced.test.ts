import type { FenceLease, LeaseStore } from '@wb/core';
import { mysqlLeaseStore, type MysqlTransaction } from '@wb/mysql';
import { TcpProxy } from '@wb/test-servers';
import { expect, it } from 'vitest';
import { describeMysql, type MysqlLab } from './servers/mysql-lab.js';

const LEASE: FenceLease = { groupId: 'group', term: 1, sessionId: 'leader' };

/** A store with one connection for fenced transactions, and the lease. */
async function led(lab: MysqlLab): Promise<LeaseStore> {
  const store = mysqlLeaseStore({ poolOptions: { uri: lab.url, connectionLimit: 1 }, namespace: lab.namespace, hints: false });
  lab.onEnd(() => store.close());
  await store.migrate();
  await store.openSession({ sessionId: 'leader', memberId: 'm', ttlMs: 600_000 });
  await store.claim('leader', ['group']);
  return store;
}

describeMysql('fenced transactions', (lab) => {
  it('T10: a lease that was lost during the wait for a connection is refused before its work begins', async () => {
    const store = await led(lab());
    let goOn = (): void => undefined;
    const gate = new Promise<void>((resolve) => (goOn = resolve));
    let hasBegun = (): void => undefined;
    const begun = new Promise<void>((resolve) => (hasBegun = resolve));
    const first = store.fenced!(LEASE, () => (hasBegun(), gate));
    await begun;
    let remainingMs = 1_000;
    let workCount = 0;
    const work = (): void => void (workCount += 1);
    const second = store.fenced!({ ...LEASE, remainingMs: () => remainingMs }, work).catch((error: unknown) => error);
    remainingMs = 0;
    goOn();
    await first;
    expect(await second).toMatchObject({ code: 'FENCED' });
    expect(workCount).toBe(0);
    // Its connection is as good as before.
    expect(await store.fenced!(LEASE, () => 'next')).toBe('next');
  });

  it('T5: waits for its connection no longer than the lease is surely held', async () => {
    const proxy = await TcpProxy.start(lab().url);
    lab().onEnd(() => proxy.stop());
    const store = mysqlLeaseStore({ connectionString: proxy.url, namespace: lab().namespace, hints: false });
    lab().onEnd(() => store.close());
    await led(lab());
    // It knows the server, and has no connection for transactions yet.
    await store.contend('leader', ['another']);
    proxy.blackHole();
    const startedAtMs = performance.now();
    await expect(store.fenced({ ...LEASE, remainingMs: () => 300 }, () => undefined)).rejects.toMatchObject({
      code: 'STORE_TIMEOUT',
      outcome: 'none',
      isRetryable: true,
    });
    expect(performance.now() - startedAtMs).toBeLessThan(2_000);
  });

  it('what the work was given is of no use afterwards', async () => {
    const store = await led(lab());
    const kept = (await store.fenced!(LEASE, (transaction) => ({ transaction }))) as { readonly transaction: MysqlTransaction };
    expect(() => kept.transaction.query('select 1')).toThrow('the fenced transaction is over');
  });
});
