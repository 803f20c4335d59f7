import { StoreError } from '@wb/core';
import { startAnotherServer, type TestServer } from '@wb/test-servers';
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
      expect(await copy.members()).toEqual([]);
    } finally {
      for (const admin of admins) await admin.query(`drop owned by ${role}; drop role ${role}`);
    }
  });
});
