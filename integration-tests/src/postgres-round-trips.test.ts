import { expect, it } from 'vitest';
import { describeServer } from './servers/describe-server.js';
import { openSession, PostgresBench } from './servers/postgres-bench.js';

describeServer('postgres', 'round trips', ({ url }) => {
  const modes = [
    ['connections of its own', () => ({})],
    ['a pooler', () => ({ pooler: true })],
    ["somebody's pool", (bench: PostgresBench, proxyUrl: string) => ({ pool: bench.pool({ connectionString: proxyUrl }) })],
  ] as const;

  it.each(modes.flatMap(([kind, source]) => [1, 100, 10_000].map((groupCount) => [kind, groupCount, source] as const)))(
    'with %s and %i groups, a heartbeat is one round trip, leading or standing by',
    async (_kind, groupCount, source) => {
      await using bench = new PostgresBench(url);
      const proxy = await bench.proxy();
      const options = source(bench, proxy.url);
      const store = await bench.migrated('pool' in options ? options : { connectionString: proxy.url, ...options });
      const leader = await openSession(store, 'leader');
      const standby = await openSession(store, 'standby');
      const groupIds = Array.from({ length: groupCount }, (_, at) => `group-${at}`);
      for (const sessionId of [leader, standby]) await store.contend(sessionId, groupIds);
      await store.claim(leader, groupIds);
      const refused = await store.claim(standby, groupIds);
      expect(refused.every((result) => result.kind === 'refused' && result.reason === 'held')).toBe(true);
      for (const request of [
        { sessionId: leader, holders: [] },
        { sessionId: standby, holders: [leader] },
      ]) {
        const before = proxy.roundTripCount;
        expect(await store.heartbeat(request)).toMatchObject({ alive: true });
        expect(proxy.roundTripCount - before).toBe(1);
      }
    },
  );

  it.each(modes)('with %s, a claim, a release, a look and a write of a job are one round trip each', async (_kind, source) => {
    await using bench = new PostgresBench(url);
    const proxy = await bench.proxy();
    const options = source(bench, proxy.url);
    const store = await bench.migrated('pool' in options ? options : { connectionString: proxy.url, ...options });
    const sessionId = await openSession(store, 'own');
    const lease = { term: 1, sessionId };
    const write = { groupId: 'group', jobId: 'job', lease, writeId: 'w', record: 'r' };
    for (const call of [
      () => store.claim(sessionId, ['group']),
      () => store.writeJob!({ ...write, expectedVersion: 0 }),
      () => store.writeJob!({ ...write, expectedVersion: 1 }),
      () => store.readJobs!('group'),
      () => store.read(['group']),
      () => store.release(sessionId, [{ groupId: 'group', term: 1 }]),
      () => store.held(sessionId),
      () => store.closeSession(sessionId),
    ]) {
      const before = proxy.roundTripCount;
      await call();
      expect(proxy.roundTripCount - before).toBe(1);
    }
  });

  it('ten thousand groups of a dead process are taken over by ten statements', async () => {
    await using bench = new PostgresBench(url);
    const proxy = await bench.proxy();
    const store = await bench.migrated({ connectionString: proxy.url });
    const groupIds = Array.from({ length: 10_000 }, (_, at) => `group-${at}`);
    const dead = await openSession(store, 'dead');
    const heir = await openSession(store, 'heir');
    await store.claim(dead, groupIds);
    await (await bench.client()).query(`update ${bench.table('session')} set expires_at_ms = 1 where session_id = 'dead'`);
    const before = proxy.roundTripCount;
    const results = await store.claim(heir, groupIds);
    expect(proxy.roundTripCount - before).toBe(10);
    expect(results.every((result) => result.kind === 'granted' && result.term === 2)).toBe(true);
  });
});
