import { StoreError } from '@wb/core';
import { startAnotherServer, startInstalledServer, startPostgresStandby, type TestServer } from '@wb/test-servers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeServer } from './servers/describe-server.js';
import { openSession, PostgresBench } from './servers/postgres-bench.js';

const START_LIMIT_MS = 180_000;

/** The answer, when the connections that were cut have been replaced. */
async function answered<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof StoreError) || !error.isRetryable) throw error;
    }
  }
}

describeServer('postgres', 'T6, a failover that loses commits', ({ url }) => {
  let other: TestServer | string;
  beforeAll(async () => {
    other = await startAnotherServer('postgres');
  }, START_LIMIT_MS);
  afterAll(async () => {
    if (typeof other !== 'string') await other.stop();
  });

  it('a session that the other server shows as live is lost', async (context) => {
    if (typeof other === 'string') return context.skip(`no other server: ${other}`);
    await using bench = new PostgresBench(url);
    const role = `${bench.namespace}failover`;
    const urls = [url, other.url].map((each) => {
      const own = new URL(each);
      [own.username, own.password, own.pathname] = [role, 'secret', '/postgres'];
      return own.href;
    }) as [string, string];
    const admins = [await bench.client(url), await bench.client(other.url)];
    for (const admin of admins) await admin.query(`create role ${role} login superuser password 'secret'`);
    try {
      await using first = new PostgresBench(urls[0]);
      await using second = new PostgresBench(urls[1]);
      const { namespace } = first;
      const proxy = await first.proxy();
      const store = await first.migrated({ connectionString: proxy.url });
      // What the other one has received: the session, and no term.
      const copy = await second.migrated({ namespace });
      for (const each of [store, copy]) await openSession(each, 'leader');
      expect(await store.claim('leader', ['group'])).toMatchObject([{ kind: 'granted', term: 1 }]);
      await proxy.switchTo(urls[0]);
      expect(await answered(() => store.heartbeat({ sessionId: 'leader', holders: [] }))).toMatchObject({ alive: true });
      await proxy.switchTo(urls[1]);
      expect(await copy.members()).toMatchObject([{ sessionId: 'leader' }]);
      expect(await answered(() => store.claim('leader', ['group']))).toMatchObject([{ kind: 'refused', reason: 'session-dead' }]);
      expect(await store.heartbeat({ sessionId: 'leader', holders: [] })).toEqual({ alive: false });
      // Nobody begins in its groups before its work has stopped (T7): until it is closed, or expires.
      expect(await copy.members()).toMatchObject([{ sessionId: 'leader' }]);
      await store.closeSession('leader');
      expect(await copy.members()).toEqual([]);
    } finally {
      for (const admin of admins) await admin.query(`drop owned by ${role}; drop role ${role}`);
    }
  });

  it('a session that a promoted standby shows as live is lost, and the members follow through the list of hosts', async (context) => {
    const primary = await startInstalledServer('postgres');
    if (primary === null) return context.skip('the programs of PostgreSQL are not installed');
    const standby = (await startPostgresStandby(primary.url))!;
    let isPrimaryUp = true;
    try {
      const { host } = new URL(standby.url);
      const connectionString = primary.url.replace(new URL(primary.url).host, (first) => `${first},${host}`);
      const standbyFirst = primary.url.replace(new URL(primary.url).host, (first) => `${host},${first}`);
      await using bench = new PostgresBench(standby.url);
      const store = await bench.migrated({ connectionString });
      await openSession(store, 'leader');
      expect(await store.claim('leader', ['group'])).toMatchObject([{ kind: 'granted', term: 1 }]);
      // As long as it is a standby it is of no use to a store, and it has received everything.
      await expect(bench.store().members()).rejects.toMatchObject({ code: 'STORE_REFUSED', isRetryable: true });
      // A store behind poolers asks with each transaction, and goes on to the next server.
      const behindPoolers = bench.store({ connectionString: standbyFirst, pooler: true });
      expect(await answered(() => behindPoolers.members())).toMatchObject([{ sessionId: 'leader' }]);
      const admin = await bench.client();
      const received = async (): Promise<number> => (await admin.query(`select 1 from ${bench.table('lease')} where term = 1`)).rows.length;
      await expect.poll(async () => await received().catch(() => 0), { timeout: 10_000 }).toBe(1);
      await primary.stop();
      isPrimaryUp = false;
      await admin.query('select pg_promote(true, 30)');
      expect(await answered(() => store.heartbeat({ sessionId: 'leader', holders: [] }))).toEqual({ alive: false });
      await openSession(store, 'successor');
      expect(await store.claim('successor', ['group'])).toMatchObject([{ kind: 'refused', reason: 'held' }]);
      await store.closeSession('leader');
      expect(await store.claim('successor', ['group'])).toMatchObject([{ kind: 'granted', term: 2 }]);
    } finally {
      if (isPrimaryUp) await primary.stop();
      await standby.stop();
    }
  });
});
