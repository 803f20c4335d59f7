import { expect, it } from 'vitest';
import { describeServer } from './servers/describe-server.js';
import { expired, lockWaits, openSession, PostgresBench, waitsOrSettles } from './servers/postgres-bench.js';

describeServer('postgres', 'what others have locked', ({ url }) => {
  it('T1: a heartbeat whose row was locked until after its TTL is refused, although it was sent in time', async () => {
    await using bench = new PostgresBench(url);
    const store = await bench.migrated();
    const sessionId = await openSession(store, 'held up', 300);
    const [other, observer] = [await bench.client(), await bench.client()];
    // A lock that changes nothing: PostgreSQL does not check the row's conditions again after such a wait.
    await other.query('begin');
    await other.query(`select from ${bench.table('session')} for update`);
    const heartbeat = store.heartbeat({ sessionId, holders: [] });
    await lockWaits(observer);
    await expired(store, sessionId);
    await other.query('commit');
    expect(await heartbeat).toEqual({ alive: false });
    expect(await store.heartbeat({ sessionId, holders: [] })).toEqual({ alive: false });
  });

  it('H3: the record of a group has a hundred rows at most, also when a batch has older and newer groups', async () => {
    await using bench = new PostgresBench(url);
    const store = await bench.migrated();
    const sessionId = await openSession(store, 'leads again and again');
    for (let term = 1; term <= 103; term += 1) {
      const results = await store.claim(sessionId, term < 100 ? ['old'] : ['new', 'old']);
      await store.release(
        sessionId,
        results.map((result) => ({ groupId: result.groupId, term: result.kind === 'granted' ? result.term : 0 })),
      );
    }
    const client = await bench.client();
    const { rows } = await client.query(
      `select group_id, min(term)::int as first, count(*)::int from ${bench.table('term')} group by 1 order by 1`,
    );
    expect(rows).toEqual([
      { group_id: 'new', first: 1, count: 4 },
      { group_id: 'old', first: 4, count: 100 },
    ]);
  });

  it('T1, T10: a claim that waited for its own session until after its TTL is refused', async () => {
    await using bench = new PostgresBench(url);
    const store = await bench.migrated();
    const sessionId = await openSession(store, 'held up', 300);
    const [other, observer] = [await bench.client(), await bench.client()];
    await other.query('begin');
    await other.query(`select from ${bench.table('session')} for update`);
    const claim = store.claim(sessionId, ['group']);
    await lockWaits(observer);
    await expired(store, sessionId);
    await other.query('commit');
    expect(await claim).toEqual([{ kind: 'refused', groupId: 'group', reason: 'session-dead' }]);
    expect(await store.read(['group'])).toMatchObject([{ term: 0, holder: null }]);
  });

  it("T10: a claim that waited for another's insert of the same new group until after its own TTL is refused, and holds nothing", async () => {
    await using bench = new PostgresBench(url);
    const store = await bench.migrated();
    const [other, observer] = [await bench.client(), await bench.client()];
    let sessionId = '';
    let claim: Promise<unknown> = Promise.resolve();
    // On a slow machine the session may end before the claim gets as far as the insert: then the next one gets more time.
    for (let ttlMs = 150, isWaiting = false; !isWaiting; ttlMs *= 2) {
      await other.query('rollback; begin');
      await other.query(`insert into ${bench.table('lease')} values ('group', 1, 'other')`);
      sessionId = await openSession(store, `held up ${ttlMs}`, ttlMs);
      claim = store.claim(sessionId, ['group']);
      isWaiting = await waitsOrSettles(observer, claim);
    }
    await expired(store, sessionId);
    await other.query('rollback');
    expect(await claim).toEqual([{ kind: 'refused', groupId: 'group', reason: 'session-dead' }]);
    expect(await store.read(['group'])).toMatchObject([{ holder: null }]);
  });

  it('L5: a claim conflicts with a heartbeat that has not committed yet, however long ago the old expiry was', async () => {
    await using bench = new PostgresBench(url);
    const store = await bench.migrated();
    const holder = await openSession(store, 'holder', 200);
    const rival = await openSession(store, 'rival');
    await store.claim(holder, ['group', 'other']);
    const other = await bench.client();
    await other.query('begin');
    await other.query(`update ${bench.table('session')} set expires_at_ms = expires_at_ms + 600000 where session_id = 'holder'`);
    await expired(store, holder);
    expect(await store.claim(rival, ['group', 'free'])).toEqual([
      { kind: 'refused', groupId: 'group', reason: 'busy' },
      { kind: 'granted', groupId: 'free', term: 1, fresh: true },
    ]);
    await other.query('commit');
    expect(await store.claim(rival, ['group'])).toMatchObject([{ reason: 'held', holder: { sessionId: 'holder', term: 1 } }]);
    expect(await store.heartbeat({ sessionId: holder, holders: [] })).toMatchObject({ alive: true });
  });

  it('L5: a heartbeat that was under way and rolled back leaves the group free', async () => {
    await using bench = new PostgresBench(url);
    const store = await bench.migrated();
    const holder = await openSession(store, 'holder', 200);
    const rival = await openSession(store, 'rival');
    await store.claim(holder, ['group']);
    const other = await bench.client();
    await other.query('begin');
    await other.query(`update ${bench.table('session')} set expires_at_ms = expires_at_ms + 600000 where session_id = 'holder'`);
    await expired(store, holder);
    await other.query('rollback');
    expect(await store.claim(rival, ['group'])).toEqual([{ kind: 'granted', groupId: 'group', term: 2, fresh: true }]);
    expect(await store.heartbeat({ sessionId: holder, holders: [] })).toEqual({ alive: false });
  });

  it.each([
    ['released', (bench: PostgresBench) => `update ${bench.table('lease')} set session_id = null`],
    ['of a closed session', (bench: PostgresBench) => `update ${bench.table('session')} set closed = 1 where session_id = 'early'`],
    [
      'of an expired session',
      (bench: PostgresBench) => `update ${bench.table('session')} set expires_at_ms = 1 where session_id = 'early'`,
    ],
    ['of a session that was deleted', (bench: PostgresBench) => `delete from ${bench.table('session')} where session_id = 'early'`],
    ['new', (bench: PostgresBench) => `delete from ${bench.table('lease')}`],
  ])(
    'L4: a claim that waited, with an old snapshot, does not take a group (%s) from a session that was opened meanwhile',
    async (_kind, free) => {
      await using bench = new PostgresBench(url);
      const store = await bench.migrated();
      await store.claim(await openSession(store, 'early'), ['group']);
      const rival = await openSession(store, 'rival');
      const [other, observer] = [await bench.client(), await bench.client()];
      await observer.query(free(bench));
      await other.query('begin');
      await other.query(`select from ${bench.table('session')} where session_id = 'rival' for update`);
      const claim = store.claim(rival, ['group']);
      await lockWaits(observer);
      const late = await openSession(store, 'late');
      const [granted] = await store.claim(late, ['group']);
      expect(granted).toMatchObject({ kind: 'granted', fresh: true });
      await other.query('commit');
      expect(await claim).toMatchObject([{ kind: 'refused', reason: 'held', holder: { sessionId: late } }]);
      expect(await store.held(late)).toMatchObject({ leases: [{ groupId: 'group' }] });
    },
  );

  it('T8: a fenced transaction that hangs holds up its own group, and no other of the batch', async () => {
    await using bench = new PostgresBench(url);
    const store = await bench.migrated();
    const holder = await openSession(store, 'holder');
    const rival = await openSession(store, 'rival');
    await store.claim(holder, ['a', 'fenced', 'z']);
    const fence = await bench.client();
    await fence.query('begin');
    await fence.query(`select from ${bench.table('lease')} where group_id = 'fenced' for share`);
    expect((await store.heartbeat({ sessionId: holder, holders: [] })).alive).toBe(true);
    await store.closeSession(holder);
    expect(await store.claim(rival, ['a', 'fenced', 'new', 'z'])).toEqual([
      { kind: 'granted', groupId: 'a', term: 2, fresh: true },
      { kind: 'refused', groupId: 'fenced', reason: 'busy' },
      { kind: 'granted', groupId: 'new', term: 1, fresh: true },
      { kind: 'granted', groupId: 'z', term: 2, fresh: true },
    ]);
    await fence.query('commit');
    expect(await store.claim(rival, ['fenced'])).toEqual([{ kind: 'granted', groupId: 'fenced', term: 2, fresh: true }]);
  });

  it('L3: a release waits for a fence of its own, and is then definite; one that lasts too long is a retryable fault, and frees nothing', async () => {
    await using bench = new PostgresBench(url);
    const store = await bench.migrated({ lockTimeoutMs: 200 });
    const holder = await openSession(store, 'holder');
    await store.claim(holder, ['group']);
    const fence = await bench.client();
    const lock = async (): Promise<void> => {
      await fence.query('begin');
      await fence.query(`select from ${bench.table('lease')} for share`);
    };
    await lock();
    const key = { groupId: 'group', term: 1 };
    await expect(store.release(holder, [key])).rejects.toMatchObject({ code: 'STORE_BUSY', isRetryable: true, outcome: 'none' });
    expect((await store.heartbeat({ sessionId: holder, holders: [] })).alive).toBe(true);
    await fence.query('commit');
    await lock();
    const patient = bench.store({ lockTimeoutMs: 5_000 });
    const released = patient.release(holder, [key]);
    // It waits for nothing on the server: the session's heartbeats go on.
    for (let i = 0; i < 20; i += 1) expect((await store.heartbeat({ sessionId: holder, holders: [] })).alive).toBe(true);
    await fence.query('commit');
    expect(await released).toEqual([{ ...key, kind: 'released' }]);
  });

  it('L1: a lease whose session was deleted is free', async () => {
    await using bench = new PostgresBench(url);
    const store = await bench.migrated();
    await store.claim(await openSession(store, 'gone'), ['group']);
    await (await bench.client()).query(`delete from ${bench.table('session')}`);
    const heir = await openSession(store, 'heir');
    expect(await store.claim(heir, ['group'])).toEqual([{ kind: 'granted', groupId: 'group', term: 2, fresh: true }]);
  });

  it('T9: a clock that was set back does not keep a dead holder alive for longer than its TTL', async () => {
    await using bench = new PostgresBench(url);
    const store = await bench.migrated();
    const holder = await openSession(store, 'holder', 300);
    const rival = await openSession(store, 'rival');
    await store.claim(holder, ['group']);
    await (await bench.client()).query(`update ${bench.table('session')} set expires_at_ms = expires_at_ms + 3600000`);
    const [refused] = await store.claim(rival, ['group']);
    expect(refused).toMatchObject({ reason: 'held', holder: { sessionId: holder } });
    await expired(store, holder);
    expect(await store.claim(rival, ['group'])).toMatchObject([{ kind: 'granted', term: 2 }]);
  });

  it('O1: a write of a job waits for no heartbeat, and keeps none waiting', async () => {
    await using bench = new PostgresBench(url);
    const store = await bench.migrated();
    const sessionId = await openSession(store, 'leader');
    await store.claim(sessionId, ['group']);
    const write = async (expectedVersion: number): Promise<unknown> =>
      await store.writeJob?.({
        groupId: 'group',
        jobId: 'job',
        lease: { sessionId, term: 1 },
        expectedVersion,
        writeId: `w${expectedVersion}`,
        record: 'r',
      });
    const [other, observer] = [await bench.client(), await bench.client()];
    // A heartbeat that has not committed.
    await other.query('begin');
    await other.query(`update ${bench.table('session')} set expires_at_ms = expires_at_ms`);
    expect(await write(0)).toEqual({ kind: 'written', version: 1 });
    await other.query('commit');
    // A write that has its lease, and waits for its record.
    await other.query('begin');
    await other.query(`select from ${bench.table('job')} for update`);
    const late = write(1);
    await lockWaits(observer);
    expect(await store.heartbeat({ sessionId, holders: [] })).toMatchObject({ alive: true });
    await other.query('commit');
    expect(await late).toEqual({ kind: 'written', version: 2 });
  });
});
