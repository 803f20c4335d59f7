import type { LeaseHint } from '@wb/core';
import { expect, it, vi } from 'vitest';
import { describeServer } from './servers/describe-server.js';
import { openSession, PostgresBench } from './servers/postgres-bench.js';

const LISTENERS = `select pid from pg_stat_activity where query like 'listen "%' and datname = current_database()`;

describeServer('postgres', 'hints', ({ url }) => {
  it.each([
    ['connections of its own', () => ({})],
    ["somebody's pool", (bench: PostgresBench) => ({ pool: bench.pool() })],
  ])(
    'W1: with %s, the connection that listens comes back by itself after the server has ended it, and says that something may have been missed',
    async (_kind, source) => {
      await using bench = new PostgresBench(url);
      const store = await bench.migrated(source(bench));
      const observer = await bench.client();
      const sessionId = await openSession(store, 'own');
      const hints: LeaseHint[] = [];
      await store.watch!((hint) => hints.push(hint));
      const listeners = LISTENERS.replace('%', `${bench.namespace}%`);
      const { rows } = await observer.query<{ pid: number }>(listeners);
      expect(rows).toHaveLength(1);
      await observer.query('select pg_terminate_backend($1)', [rows[0]!.pid]);
      // Hints that were missed: the state is to be read again.
      await vi.waitFor(() => expect(hints).toEqual([{}]), { timeout: 5_000 });
      await store.claim(sessionId, ['group']);
      await vi.waitFor(() => expect(hints).toEqual([{}, { groupIds: ['group'] }]));
      const after = await observer.query<{ pid: number }>(listeners);
      expect(after.rows).toHaveLength(1);
      expect(after.rows[0]!.pid).not.toBe(rows[0]!.pid);
    },
  );

  it('W1: a change of more groups than a notification can name is a hint without names', async () => {
    await using bench = new PostgresBench(url);
    const store = await bench.migrated();
    const sessionId = await openSession(store, 'own');
    const hints: LeaseHint[] = [];
    await store.watch!((hint) => hints.push(hint));
    const groupIds = Array.from({ length: 500 }, (_, at) => `${'long '.repeat(10)}${at}`);
    await store.claim(sessionId, groupIds);
    await vi.waitFor(() => expect(hints).toEqual([{}]));
    await store.closeSession(sessionId);
    await vi.waitFor(() => expect(hints).toEqual([{}, {}]));
  });

  it('W1: a claim that is granted nothing, and a release of nothing, give no hint', async () => {
    await using bench = new PostgresBench(url);
    const store = await bench.migrated();
    const [own, rival] = [await openSession(store, 'own'), await openSession(store, 'rival')];
    await store.claim(own, ['group']);
    const hints: LeaseHint[] = [];
    await store.watch!((hint) => hints.push(hint));
    await store.claim(rival, ['group']);
    await store.claim(own, ['group']);
    await store.release(own, [{ groupId: 'group', term: 7 }]);
    // Notifications come in the order of their commits: none was before this one.
    await store.release(own, [{ groupId: 'group', term: 1 }]);
    await vi.waitFor(() => expect(hints).toEqual([{ groupIds: ['group'], freed: true }]));
  });

  it("W1: what somebody else notifies on the store's channel is a hint that names nothing", async () => {
    await using bench = new PostgresBench(url);
    const store = await bench.migrated();
    const observer = await bench.client();
    const hints: LeaseHint[] = [];
    await store.watch!((hint) => hints.push(hint));
    const { rows } = await observer.query<{ channel: string }>(
      `select split_part(query, '"', 2) as channel from pg_stat_activity where query like 'listen "${bench.namespace}%'`,
    );
    for (const payload of ['no JSON', '{"a":1}', '[1]']) await observer.query('select pg_notify($1, $2)', [rows[0]!.channel, payload]);
    await vi.waitFor(() => expect(hints).toEqual([{}, {}, {}]));
  });

  it('one connection listens for any number of watchers, and is closed after the last', async () => {
    await using bench = new PostgresBench(url);
    const store = await bench.migrated();
    const observer = await bench.client();
    const watches = await Promise.all(Array.from({ length: 5 }, () => store.watch!(() => undefined)));
    const listeners = LISTENERS.replace('%', `${bench.namespace}%`);
    expect((await observer.query(listeners)).rows).toHaveLength(1);
    for (const watch of watches) await watch[Symbol.asyncDispose]();
    await vi.waitFor(async () => expect((await observer.query(listeners)).rows).toHaveLength(0));
  });

  it('behind a pooler there is no watch', async () => {
    await using bench = new PostgresBench(url);
    const store = bench.store({ pooler: true });
    expect(store.capabilities.watch).toBe(false);
    expect('watch' in store && store.watch !== undefined).toBe(false);
  });
});
