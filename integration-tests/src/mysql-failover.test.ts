import { StoreError, type LeaseStore } from '@wb/core';
import { mysqlLeaseStore, type MysqlLeaseStore } from '@wb/mysql';
import { startAnotherServer, TcpProxy, type TestServer } from '@wb/test-servers';
import { createPool } from 'mysql2';
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeMysql, type MysqlLab } from './servers/mysql-lab.js';

const START_LIMIT_MS = 180_000;
const USER = `wb_failover_${process.pid}`;
/** By the second, where a server has an anonymous user at `localhost`, which goes before `%`. */
const ACCOUNTS = [`'${USER}'@'%'`, `'${USER}'@'localhost'`];

const WAYS = {
  'own connections': (uri, namespace) => ({ store: mysqlLeaseStore({ connectionString: uri, namespace }), end: () => undefined }),
  'a pool with multipleStatements': (uri, namespace) => ofPool({ uri, multipleStatements: true }, namespace),
  'a pool without': (uri, namespace) => ofPool({ uri }, namespace),
} satisfies Record<string, (uri: string, namespace: string) => { store: MysqlLeaseStore; end: () => void }>;

function ofPool(options: { uri: string; multipleStatements?: boolean }, namespace: string): { store: MysqlLeaseStore; end: () => void } {
  const pool = createPool(options);
  return { store: mysqlLeaseStore({ pool, namespace }), end: () => pool.end(() => undefined) };
}

/** One user and one database on both servers, so that a client cannot see the switch by them. */
async function prepare(serverUrl: string, database: string): Promise<string> {
  const admin = await createConnection({ uri: serverUrl });
  await admin.query(`create database if not exists \`${database}\``);
  for (const account of ACCOUNTS) {
    await admin.query(`create user if not exists ${account} identified by 'secret'`);
    await admin.query(`grant all on \`${database}\`.* to ${account}`);
  }
  await admin.end();
  const url = new URL(serverUrl);
  url.username = USER;
  url.password = 'secret';
  url.pathname = `/${database}`;
  return url.href;
}

/** What the new primary has received of the old one's rows. */
async function replicate(fromUrl: string, toUrl: string, tables: readonly string[]): Promise<void> {
  const [from, to] = [await createConnection({ uri: fromUrl }), await createConnection({ uri: toUrl })];
  for (const table of tables) {
    const [rows] = await from.query<never[]>(`select * from ${table}`);
    await to.query(`delete from ${table}`);
    for (const row of rows) await to.query(`insert into ${table} set ?`, row);
  }
  await Promise.all([from.end(), to.end()]);
}

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

describeMysql('T6, a failover that loses commits', (lab, flavor) => {
  let other: TestServer | string;
  beforeAll(async () => {
    other = await startAnotherServer(flavor);
  }, START_LIMIT_MS);
  afterAll(async () => {
    if (typeof other !== 'string') await other.stop();
  });

  async function servers(current: MysqlLab, isThere: TestServer): Promise<{ proxy: TcpProxy; first: string; second: string }> {
    const database = new URL(current.url).pathname.slice(1);
    const first = await prepare(current.url, database);
    const second = await prepare(isThere.url, database);
    const proxy = await TcpProxy.start(first);
    current.onEnd(async () => {
      await proxy.stop();
      const admin = await createConnection({ uri: current.url });
      await admin.query(`drop user if exists ${ACCOUNTS.join(', ')}`);
      await admin.end();
    });
    return { proxy, first, second };
  }

  async function migrated(current: MysqlLab, store: LeaseStore): Promise<void> {
    current.onEnd(() => store.close());
    await store.migrate();
  }

  for (const [name, open] of Object.entries(WAYS)) {
    it(`every session is lost on the new primary, with ${name}`, async (context) => {
      if (typeof other === 'string') return context.skip(`no other server: ${other}`);
      const current = lab();
      const { namespace } = current;
      const { proxy, first, second } = await servers(current, other);
      await migrated(current, mysqlLeaseStore({ connectionString: second, namespace }));
      const { store, end } = open(proxy.url, namespace);
      current.onEnd(async () => end());
      await migrated(current, store);
      for (const sessionId of ['leader', 'standby']) await store.openSession({ sessionId, memberId: sessionId, ttlMs: 600_000 });
      expect(await store.claim('leader', ['group'])).toMatchObject([{ kind: 'granted', term: 1 }]);
      await replicate(
        first,
        second,
        ['session', 'lease', 'term'].map((table) => current.table(table)),
      );
      // What the replica does not receive.
      await store.release('leader', [{ groupId: 'group', term: 1 }]);
      expect(await store.claim('standby', ['group'])).toMatchObject([{ kind: 'granted', term: 2 }]);
      // The same server, on new connections, is no other one.
      await proxy.switchTo(first);
      expect(await answered(() => store.heartbeat({ sessionId: 'leader', holders: [] }))).toMatchObject({ alive: true });

      await proxy.switchTo(second);
      // Both are live in its rows, and the old term has come back to life: neither may be believed.
      const stale = { groupId: 'group', term: 1, sessionId: 'leader', remainingMs: () => 60_000 };
      const write = { groupId: 'group', jobId: 'job', lease: stale, expectedVersion: 0, writeId: 'stale', record: '' };
      expect(await answered(() => store.writeJob(write))).toEqual({ kind: 'fenced' });
      expect(await store.readJobs('group')).toEqual([]);
      await expect(answered(() => store.fenced(stale, () => 'written'))).rejects.toMatchObject({ code: 'FENCED' });
      expect(await answered(() => store.claim('standby', ['group']))).toMatchObject([{ kind: 'refused', reason: 'session-dead' }]);
      expect(await answered(() => store.heartbeat({ sessionId: 'leader', holders: [] }))).toEqual({ alive: false });
      expect(await store.held('standby')).toMatchObject({ alive: false, leases: [] });
      // Nobody begins in their groups before their work has stopped (T7): until they are closed, or expire.
      await store.openSession({ sessionId: 'new', memberId: 'new', ttlMs: 600_000 });
      expect(await store.claim('new', ['group'])).toMatchObject([{ kind: 'refused', reason: 'held' }]);
      for (const sessionId of ['leader', 'standby']) await store.closeSession(sessionId);
      expect(await store.claim('new', ['group'])).toMatchObject([{ kind: 'granted', term: 2 }]);
      expect(await store.heartbeat({ sessionId: 'new', holders: [] })).toMatchObject({ alive: true });
    });
  }
});
