import type { FenceLease, LeaseStore } from '@wb/core';
import type { PostgresTransaction } from '@wb/postgres';
import { expect, it } from 'vitest';
import type { FencingStore } from './fences/fence-session.js';
import { describeServer } from './servers/describe-server.js';
import { openSession, PostgresBench } from './servers/postgres-bench.js';

describeServer('postgres', 'fenced transactions', ({ url }) => {
  const led = async (store: LeaseStore): Promise<FenceLease> => {
    const sessionId = await openSession(store, 'leader');
    await store.claim(sessionId, ['group']);
    return { groupId: 'group', term: 1, sessionId };
  };

  it('T5: waits for its connection no longer than the lease is surely held', async () => {
    await using bench = new PostgresBench(url);
    const lease = await led(await bench.migrated());
    const proxy = await bench.proxy();
    proxy.blackHole();
    const store = bench.store({ connectionString: proxy.url });
    const startedAtMs = performance.now();
    await expect(store.fenced!({ ...lease, remainingMs: () => 300 }, () => undefined)).rejects.toMatchObject({
      code: 'STORE_TIMEOUT',
      outcome: 'none',
      isRetryable: true,
    });
    expect(performance.now() - startedAtMs).toBeLessThan(2_000);
  });

  it.each([
    ['without limits of its own', {}, { transaction: '2s', statement: '0', idle: '0' }],
    ['with a short one', { transaction: '1500ms' }, { transaction: '1500ms', statement: '2s', idle: '2s' }],
    ['with long ones', { transaction: '1h', idle: '1h' }, { transaction: '1h', statement: '2s', idle: '2s' }],
    ['with a short pause', { transaction: '1h', idle: '700ms' }, { transaction: '1h', statement: '2s', idle: '700ms' }],
  ] as const)('T8: on a connection %s, the server ends a transaction that its client forgets', async (_kind, given, expected) => {
    await using bench = new PostgresBench(url);
    const admin = await bench.client();
    const { rows: versions } = await admin.query<{ version: number }>(`select current_setting('server_version_num')::int as version`);
    const hasTransactionTimeout = versions[0]!.version >= 170_000;
    const settings: Readonly<Record<string, string | undefined>> = {
      ...(hasTransactionTimeout && 'transaction' in given && { transaction_timeout: given.transaction }),
      ...('idle' in given && { idle_in_transaction_session_timeout: given.idle }),
    };
    const options = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);
    const store = await bench.migrated({ config: { connectionString: bench.url, options: options.join(' ') } });
    const lease = await led(store);
    const seen = await store.fenced!(lease, async (transaction) => {
      const { rows } = await (transaction as PostgresTransaction).query(
        `select current_setting('transaction_timeout', true) as transaction, current_setting('statement_timeout') as statement,
          current_setting('idle_in_transaction_session_timeout') as idle`,
      );
      return rows[0] as unknown;
    });
    const { idle } = expected;
    expect(seen).toEqual(hasTransactionTimeout ? expected : { transaction: null, statement: '2s', idle: idle === '700ms' ? idle : '2s' });
  });

  it('L6: a lease that is trusted here is not looked at first, and its fence refuses all the same', async () => {
    await using bench = new PostgresBench(url);
    const store = await bench.migrated();
    const lease = await led(store);
    await store.release(lease.sessionId, [lease]);
    let workCount = 0;
    const work = (): Promise<void> => {
      workCount += 1;
      return Promise.resolve();
    };
    await expect(store.fenced!(lease, work)).rejects.toMatchObject({ code: 'FENCED' });
    expect(workCount).toBe(0);
    await expect(store.fenced!({ ...lease, remainingMs: () => 1_000 }, work)).rejects.toMatchObject({ code: 'FENCED' });
    expect(workCount).toBe(1);
  });

  it('L6: work that discards what is prepared on its connection fails, writes nothing, and spoils no other', async () => {
    await using bench = new PostgresBench(url);
    const store = await bench.migrated({ config: { connectionString: bench.url, max: 1 } });
    const lease = await led(store);
    const note = `"${bench.namespace}note"`;
    await (await bench.client()).query(`create table ${note} (n int)`);
    const write = (n: number, after = ''): Promise<unknown> =>
      store.fenced!(lease, (transaction) => (transaction as PostgresTransaction).query(`insert into ${note} values (${n})${after}`));
    await write(1);
    await expect(write(2, '; deallocate all')).rejects.toMatchObject({ code: 'STORE_FAULT' });
    await write(3);
    const { rows } = await (await bench.client()).query(`select n from ${note} order by 1`);
    expect(rows).toEqual([{ n: 1 }, { n: 3 }]);
  });

  it('T10: a lease that was lost during the wait for a connection is refused before its work begins', async () => {
    await using bench = new PostgresBench(url);
    const store = await bench.migrated({ config: { connectionString: bench.url, max: 1 } });
    const lease = await led(store);
    let goOn = (): void => undefined;
    const gate = new Promise<void>((resolve) => (goOn = resolve));
    let hasBegun = (): void => undefined;
    const begun = new Promise<void>((resolve) => (hasBegun = resolve));
    const first = store.fenced!(lease, () => (hasBegun(), gate));
    await begun;
    let remainingMs = 1_000;
    let workCount = 0;
    const work = (): void => void (workCount += 1);
    const second = store.fenced!({ ...lease, remainingMs: () => remainingMs }, work).catch((error: unknown) => error);
    remainingMs = 0;
    goOn();
    await first;
    expect(await second).toMatchObject({ code: 'FENCED' });
    expect(workCount).toBe(0);
    // Its connection is as good as before.
    expect(await store.fenced!(lease, () => 'next')).toBe('next');
  });

  it('what the work was given is of no use afterwards', async () => {
    await using bench = new PostgresBench(url);
    const store = await bench.migrated();
    const lease = await led(store);
    const kept = (await store.fenced!(lease, (transaction) => ({ transaction }))) as { readonly transaction: PostgresTransaction };
    expect(() => kept.transaction.query('select 1')).toThrow('the fenced transaction is over');
  });

  it('T8: after a fence of the user’s, the server ends whatever lasts longer than the session of the lease; and only in this transaction', async () => {
    await using bench = new PostgresBench(url);
    const store = (await bench.migrated()) as FencingStore;
    const client = await bench.client();
    await store.openSession({ sessionId: 'leader', memberId: 'm', ttlMs: 5_000 });
    await store.claim('leader', ['group']);
    const lease = { groupId: 'group', term: 1, sessionId: 'leader' };
    const limits = async (): Promise<Readonly<Record<string, number | null>>> => {
      const { rows } = await client.query<Record<string, number | null>>(
        `select ${['statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout']
          .map((name) => `(extract(epoch from current_setting('${name}', true)::interval) * 1000)::int as "${name}"`)
          .join(', ')}`,
      );
      return rows[0]!;
    };
    const before = await limits();
    await client.query('begin');
    await store.fence(client, lease);
    for (const [name, limitMs] of Object.entries(await limits())) {
      // `transaction_timeout` is there from PostgreSQL 17 on.
      if (before[name] === null) continue;
      expect(limitMs, name).toBeGreaterThan(0);
      expect(limitMs, name).toBeLessThanOrEqual(5_000);
    }
    await client.query('commit');
    expect(await limits()).toEqual(before);

    await client.query("begin; set local statement_timeout = '100ms'");
    await store.fence(client, lease);
    expect(await limits()).toMatchObject({ statement_timeout: 100 });
    await expect(client.query('select pg_sleep(60)')).rejects.toMatchObject({ code: '57014' });
    await client.query('rollback');
  });
});
