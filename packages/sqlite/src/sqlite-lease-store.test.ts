import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../test-support/temporary-folder.js';
import { sqliteLeaseStore } from './index.js';

const DAY_MS = 86_400_000;

/** Counts what SQLite runs on a handle, by the first words. */
function watched(filename: string): { readonly database: Database.Database; readonly statements: string[] } {
  const statements: string[] = [];
  const database = new Database(filename, { verbose: (sql) => statements.push(String(sql)) });
  database.pragma('journal_mode = wal');
  return { database, statements };
}

describe('the statements', () => {
  const folder = temporaryFolder();

  it('a heartbeat is one transaction, and writes one row, whether 1, 100 or 10,000 groups are held', async () => {
    const { database, statements } = watched(folder.path('app.db'));
    const store = sqliteLeaseStore({ database });
    await store.migrate();
    await store.openSession({ sessionId: 'holder', memberId: 'm', ttlMs: DAY_MS });
    await store.openSession({ sessionId: 'standby', memberId: 'm', ttlMs: DAY_MS });
    const counts: number[] = [];
    for (const count of [1, 100, 10_000]) {
      const groupIds = Array.from({ length: count }, (_, at) => `g${at}`);
      await store.claim('holder', groupIds);
      await store.contend('standby', groupIds);
      await store.claim('standby', groupIds);
      statements.length = 0;
      const before = database.prepare('select total_changes() as count').get() as { readonly count: number };
      statements.length = 0;
      await store.heartbeat({ sessionId: 'holder', holders: [] });
      await store.heartbeat({ sessionId: 'standby', holders: ['holder'] });
      const ran = [...statements];
      const after = database.prepare('select total_changes() as count').get() as { readonly count: number };
      expect(ran.filter((sql) => /^begin/i.test(sql))).toEqual(['begin immediate', 'begin immediate']);
      expect(after.count - before.count).toBe(2);
      expect(ran.filter((sql) => sql.includes('wb_lease') || sql.includes('wb_contender'))).toEqual([]);
      counts.push(ran.length);
    }
    expect(new Set(counts).size).toBe(1);
    database.close();
  });

  it('10,000 groups are taken over by a few dozen transactions', async () => {
    const { database, statements } = watched(folder.path('app.db'));
    const store = sqliteLeaseStore({ database });
    await store.migrate();
    const groupIds = Array.from({ length: 10_000 }, (_, at) => `g${at}`);
    await store.openSession({ sessionId: 'dead', memberId: 'm', ttlMs: DAY_MS });
    await store.openSession({ sessionId: 'heir', memberId: 'm', ttlMs: DAY_MS });
    await store.claim('dead', groupIds);
    database.exec("update wb_session set expires_at_ms = 1 where session_id = 'dead'");
    statements.length = 0;
    const results = await store.claim('heir', groupIds);
    expect(results.filter((result) => result.kind === 'granted' && result.term === 2).length).toBe(10_000);
    expect(statements.filter((sql) => sql === 'begin immediate').length).toBe(40);
    database.close();
  });

  it('no statement of the hot path reads all leases', async () => {
    const { database, statements } = watched(folder.path('app.db'));
    const store = sqliteLeaseStore({ database });
    await store.migrate();
    await store.openSession({ sessionId: 's', memberId: 'm', ttlMs: DAY_MS });
    await store.openSession({ sessionId: 't', memberId: 'm', ttlMs: DAY_MS });
    statements.length = 0;
    await store.claim('s', ['a', 'b']);
    await store.claim('t', ['a', 'b']);
    await store.contend('t', ['a', 'b']);
    await store.heartbeat({ sessionId: 't', holders: ['s'] });
    await store.read(['a', 'b']);
    await store.held('s');
    await store.release('s', [{ groupId: 'a', term: 1 }]);
    await store.withdraw('t', ['a']);
    await store.closeSession('s');
    const ran = [...new Set(statements)].filter((sql) => sql.includes('wb_'));
    expect(ran.length).toBeGreaterThan(10);
    for (const sql of ran) {
      const plan = database
        .prepare(`explain query plan ${sql}`)
        .all()
        .map((row) => (row as { readonly detail: string }).detail);
      expect(
        plan.filter((line) => /^SCAN (wb_lease|wb_contender|lease|contender|l|c)\b/.test(line)),
        sql,
      ).toEqual([]);
      // Neither all leases of a session, where groups are named: there may be ten thousand.
      const lookups = plan.filter((line) => /^SEARCH (wb_lease|l) /.test(line) && sql.includes('json_each') && !sql.includes('limit'));
      expect(
        lookups.filter((line) => !line.includes('group_id=?')),
        sql,
      ).toEqual([]);
    }
    database.close();
  });

  it('H3: the record of a group has a hundred rows at most, also when a batch has older and newer groups', async () => {
    const filename = folder.path('app.db');
    const store = sqliteLeaseStore({ filename });
    await store.migrate();
    await store.openSession({ sessionId: 's', memberId: 'm', ttlMs: DAY_MS });
    for (let term = 1; term <= 103; term += 1) {
      const results = await store.claim('s', term < 100 ? ['old'] : ['new', 'old']);
      await store.release(
        's',
        results.map((result) => ({ groupId: result.groupId, term: result.kind === 'granted' ? result.term : 0 })),
      );
    }
    const rows = new Database(filename);
    expect(rows.prepare('select group_id, min(term), count(*) from wb_term group by 1 order by 1').raw().all()).toEqual([
      ['new', 1, 4],
      ['old', 4, 100],
    ]);
    rows.close();
    await store.close();
  });

  it('S4, F19: a bounded number of dead sessions is forgotten each time, with their leases and contentions, never a live one', async () => {
    const filename = folder.path('app.db');
    const store = sqliteLeaseStore({ filename, sessionRetentionMs: 0 });
    await store.migrate();
    await store.openSession({ sessionId: 'live', memberId: 'm', ttlMs: DAY_MS });
    await store.claim('live', ['kept']);
    const rows = new Database(filename);
    const count = (table: string): number =>
      (rows.prepare(`select count(*) as count from wb_${table}`).get() as { readonly count: number }).count;
    for (let at = 0; at < 40; at += 1) {
      await store.openSession({ sessionId: `dead-${at}`, memberId: 'm', ttlMs: DAY_MS });
      await store.claim(`dead-${at}`, [`g${at}`]);
      await store.contend(`dead-${at}`, [`g${at}`, 'kept']);
    }
    rows.exec("update wb_session set expires_at_ms = 1 where session_id <> 'live'");
    await store.openSession({ sessionId: 'next-1', memberId: 'm', ttlMs: DAY_MS });
    expect(count('session')).toBe(40 - 16 + 2);
    for (const at of [2, 3]) await store.openSession({ sessionId: `next-${at}`, memberId: 'm', ttlMs: DAY_MS });
    expect([count('session'), count('contender')]).toEqual([4, 0]);
    // The terms stay (L2).
    expect(count('lease')).toBe(41);
    expect(await store.claim('next-1', ['g0', 'kept'])).toMatchObject([{ kind: 'granted', term: 2 }, { kind: 'refused' }]);
    rows.close();
    await store.close();
  });
});

describe('migrate()', () => {
  const folder = temporaryFolder();

  it('F20: writes nothing when there is nothing to do', async () => {
    const filename = folder.path('app.db');
    const first = sqliteLeaseStore({ filename });
    await first.migrate();
    const other = new Database(filename);
    other.exec('begin immediate');
    // It would have to wait for the lock if it wanted to write.
    await expect(sqliteLeaseStore({ filename }).migrate()).resolves.toBeUndefined();
    other.close();
    await first.close();
  });

  it('two namespaces live in one file', async () => {
    const filename = folder.path('app.db');
    const [one, two] = ['one_', 'two_'].map((namespace) => sqliteLeaseStore({ filename, namespace })) as [
      ReturnType<typeof sqliteLeaseStore>,
      ReturnType<typeof sqliteLeaseStore>,
    ];
    await one.migrate();
    await expect(two.members()).rejects.toMatchObject({ code: 'STORE_NOT_MIGRATED' });
    await two.migrate();
    await one.openSession({ sessionId: 's', memberId: 'm', ttlMs: DAY_MS });
    expect(await two.members()).toEqual([]);
    await one.close();
    await two.close();
  });
});
