import type { LeaseHint, LeaseStore } from '@wb/core';
import { mysqlLeaseStore } from '@wb/mysql';
import { TcpProxy } from '@wb/test-servers';
import type { RowDataPacket } from 'mysql2';
import { expect, it, vi } from 'vitest';
import { describeMysql, type MysqlLab } from './servers/mysql-lab.js';

/** Longer than a watcher waits for the bell: what is hinted at sooner came by the bell. */
const SOON = { timeout: 5_000 };

interface Watcher {
  readonly store: LeaseStore;
  readonly hints: LeaseHint[];
}

async function watcher(lab: MysqlLab, url = lab.url): Promise<Watcher> {
  const store = await lab.store(url);
  const hints: LeaseHint[] = [];
  await store.watch!((hint) => hints.push(hint));
  return { store, hints };
}

async function holder(lab: MysqlLab): Promise<LeaseStore> {
  const store = await lab.store();
  await store.openSession({ sessionId: 's', memberId: 'm', ttlMs: 600_000 });
  return store;
}

/** Whose bell the lab's is, as the number of the connection. */
async function keeperOf(lab: MysqlLab): Promise<number | null> {
  const connection = await lab.connection();
  const [rows] = await connection.query<RowDataPacket[]>(
    `select is_used_lock(concat('wb_', left(sha2(concat(database(), '/${lab.namespace}'), 256), 40))) as id`,
  );
  connection.destroy();
  return rows[0]!['id'] as number | null;
}

async function keeper(lab: MysqlLab): Promise<number> {
  return await vi.waitFor(async () => {
    const id = await keeperOf(lab);
    if (id === null) throw new Error('nobody has the bell');
    return id;
  }, SOON);
}

function names(groupId: string): (hint: LeaseHint) => boolean {
  return ({ groupIds }) => groupIds?.includes(groupId) === true;
}

describeMysql('hints', (lab) => {
  it('W1: every watcher of many is told of a change by its name, although only one of them looks', async () => {
    const watchers: Watcher[] = [];
    for (let count = 0; count < 8; count += 1) watchers.push(await watcher(lab()));
    const store = await holder(lab());
    await keeper(lab());
    await store.claim('s', ['group']);
    await vi.waitFor(() => expect(watchers.every(({ hints }) => hints.some(names('group')))).toBe(true), SOON);
    // The bell is kept again: nobody passes it on for ever.
    const id = await keeper(lab());
    await vi.waitFor(async () => expect(await keeperOf(lab())).toBe(id), SOON);
    for (const { hints } of watchers) hints.length = 0;
    await store.release('s', [{ groupId: 'group', term: 1 }]);
    await vi.waitFor(() => expect(watchers.every(({ hints }) => hints.some(names('group')))).toBe(true), SOON);
  });

  it('W1: sessions that change in the same way at one moment do not hide each other', async () => {
    const store = await lab().store();
    for (const sessionId of ['session-1', 'session-2']) {
      await store.openSession({ sessionId, memberId: 'm', ttlMs: 600_000 });
      await store.claim(sessionId, [`group of ${sessionId}`]);
    }
    const { hints } = await watcher(lab());
    await keeper(lab());
    const connection = await lab().connection();
    await connection.query(`update ${lab().table('session')} set closed = 2`);
    await vi.waitFor(() => expect(hints.some(names('group of session-1')) && hints.some(names('group of session-2'))).toBe(true), SOON);
  });

  it('W1: the end of the connection that has the bell is survived by its own watcher and by the others', async () => {
    const watchers = [await watcher(lab()), await watcher(lab())];
    const store = await holder(lab());
    const id = await keeper(lab());
    const admin = await lab().connection();
    await admin.query(`kill connection ${id}`);
    // The watcher whose connection it was may have missed something: it is to read the state again.
    await vi.waitFor(() => expect(watchers.flatMap(({ hints }) => hints)).toEqual([{}]), SOON);
    expect(await keeper(lab())).not.toBe(id);
    await store.claim('s', ['group']);
    await vi.waitFor(() => expect(watchers.every(({ hints }) => hints.some(names('group')))).toBe(true), SOON);
  });

  it('W1: a waiting statement that somebody kills is sent again', async () => {
    const watchers = [await watcher(lab()), await watcher(lab())];
    const store = await holder(lab());
    await keeper(lab());
    const admin = await lab().connection();
    await vi.waitFor(async () => {
      const [rows] = await admin.query<RowDataPacket[]>('select id from information_schema.processlist where state = ?', ['User lock']);
      expect(rows.length).toBeGreaterThan(0);
      for (const { id, ID = id } of rows as { id?: number; ID?: number }[]) await admin.query(`kill query ${ID}`);
    }, SOON);
    await store.claim('s', ['group']);
    await vi.waitFor(
      () => expect(watchers.every(({ hints }) => hints.some((hint) => names('group')(hint) || hint.groupIds === undefined))).toBe(true),
      SOON,
    );
  });

  it('W1: a watcher that is frozen with the bell loses it, and one that cannot be reached comes back', async () => {
    const proxy = await TcpProxy.start(lab().url);
    lab().onEnd(() => proxy.stop());
    const frozen = await watcher(lab(), proxy.url);
    const store = await holder(lab());
    const id = await keeper(lab());
    const other = await watcher(lab());
    // From now on the server hears nothing of the one that has the bell, and its connection stays open.
    proxy.blackHole();
    await vi.waitFor(async () => expect(await keeper(lab())).not.toBe(id), { timeout: 20_000, interval: 100 });
    await store.claim('s', ['group']);
    await vi.waitFor(() => expect(other.hints.some(names('group'))).toBe(true), SOON);
    expect(frozen.hints).toEqual([]);
    proxy.heal();
    await vi.waitFor(() => expect(frozen.hints).toEqual([{}]), { timeout: 20_000, interval: 100 });
  });

  it('W1: a heartbeat, a refused claim and a repeated one are no changes', async () => {
    const { hints } = await watcher(lab());
    const store = await holder(lab());
    await store.openSession({ sessionId: 'rival', memberId: 'm', ttlMs: 600_000 });
    await store.claim('s', ['group']);
    await vi.waitFor(() => expect(hints).toHaveLength(1), SOON);
    await store.claim('rival', ['group']);
    await store.claim('s', ['group']);
    await store.heartbeat({ sessionId: 's', holders: [] });
    await store.release('s', [{ groupId: 'group', term: 7 }]);
    // Looks come in order: this change is seen after all the others would have been.
    await store.release('s', [{ groupId: 'group', term: 1 }]);
    await vi.waitFor(() => expect(hints).toHaveLength(2), SOON);
    expect(hints).toEqual([{ groupIds: ['group'] }, { groupIds: ['group'], freed: true }]);
  });

  it('W1: a change of more groups than a hint names is a hint without names', async () => {
    const { hints } = await watcher(lab());
    const store = await holder(lab());
    const groupIds = Array.from({ length: 501 }, (_, at) => `group-${at}`);
    await store.claim('s', groupIds);
    await store.closeSession('s');
    await vi.waitFor(() => expect(hints.at(-1)).toEqual({}), SOON);
  });

  it('W1: one connection watches for any number of watchers; it ends with the last, and with the store', async () => {
    const store = await lab().store();
    const watches = await Promise.all(Array.from({ length: 5 }, () => store.watch!(() => undefined)));
    const id = await keeper(lab());
    for (const watch of watches) await watch[Symbol.asyncDispose]();
    await vi.waitFor(async () => expect(await keeperOf(lab())).toBeNull(), SOON);
    await store.watch!(() => undefined);
    expect(await keeper(lab())).not.toBe(id);
    await store.close();
    await vi.waitFor(async () => expect(await keeperOf(lab())).toBeNull(), SOON);
    await expect(store.watch!(() => undefined)).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  });

  it('W1: a watch of a server that is not there, or of tables that are not, fails; a black hole costs it its deadline', async () => {
    const gone = mysqlLeaseStore({ connectionString: 'mysql://root@127.0.0.1:1/test' });
    await expect(gone.watch!(() => undefined)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    const bare = mysqlLeaseStore({ connectionString: lab().url, namespace: 'not_there_' });
    await expect(bare.watch!(() => undefined)).rejects.toMatchObject({ code: 'STORE_NOT_MIGRATED' });
    const proxy = await TcpProxy.start(lab().url);
    lab().onEnd(() => proxy.stop());
    proxy.blackHole();
    const hole = mysqlLeaseStore({ connectionString: proxy.url });
    await expect(hole.watch!(() => undefined, { signal: AbortSignal.timeout(300) })).rejects.toMatchObject({ code: 'STORE_TIMEOUT' });
    await Promise.all([gone.close(), bare.close(), hole.close()]);
  });

  it('hints can be turned off: nothing watches, and everything else is as it was', async () => {
    const store = mysqlLeaseStore({ connectionString: lab().url, namespace: lab().namespace, hints: false });
    lab().onEnd(() => store.close());
    expect(store.capabilities.watch).toBe(false);
    expect('watch' in store && store.watch !== undefined).toBe(false);
    await store.migrate();
    await store.openSession({ sessionId: 's', memberId: 'm', ttlMs: 600_000 });
    expect(await store.claim('s', ['group'])).toMatchObject([{ kind: 'granted' }]);
    expect(await keeperOf(lab())).toBeNull();
  });
});
