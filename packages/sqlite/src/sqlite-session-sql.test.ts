import { MAX_STANDBY_RANK } from '@wb/core';
import { statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { storeClients } from '../test-support/store-clients.js';

const LONG_MS = 3_600_000;
const SHORT_MS = 100;
const long = (sessionId: string) => ({ sessionId, memberId: 'm', ttlMs: LONG_MS });

describe('sessions in one file, seen by several clients', () => {
  const clients = storeClients();

  const expiryOf = (sessionId: string): number =>
    clients.database().prepare('select expires_at_ms from wb_session where session_id = ?').pluck().get(sessionId) as number;

  it("S1: a heartbeat extends the session to the store's now + TTL, not to the old expiry + TTL", async () => {
    const [a, b] = await clients.open(2);
    await a.openSession(long('s'));
    clients.database().exec('update wb_session set expires_at_ms = expires_at_ms - 3000000');
    const before = expiryOf('s');
    expect(await b!.heartbeat({ sessionId: 's', holders: [] })).toMatchObject({ alive: true });
    const [member] = await a.members();
    expect(member!.remainingMs).toBeGreaterThan(LONG_MS - 60_000);
    expect(member!.remainingMs).toBeLessThanOrEqual(LONG_MS);
    expect(expiryOf('s') - before).toBeGreaterThan(2_900_000);
  });

  it('S1: each of two sessions of one member has its own life (F10)', async () => {
    const [a, b] = await clients.open(2);
    await a.openSession(long('s1'));
    await b!.openSession(long('s2'));
    clients.expire('s1');
    expect(await b!.heartbeat({ sessionId: 's2', holders: ['s1'] })).toMatchObject({ alive: true, holders: [{ remainingMs: 0 }] });
    expect(await a.heartbeat({ sessionId: 's1', holders: [] })).toEqual({ alive: false });
    expect((await a.members()).map(({ sessionId }) => sessionId)).toEqual(['s2']);
  });

  it('S2: from its expiry on a session is refused by every client, and nothing brings it back', async () => {
    const [a, b] = await clients.open(2);
    await a.openSession(long('s'));
    await a.claim('s', ['g']);
    clients.expireIn('s', SHORT_MS);
    await expect.poll(() => b!.members(), { interval: 5, timeout: 30 * SHORT_MS }).toEqual([]);
    expect(await a.heartbeat({ sessionId: 's', holders: [] })).toEqual({ alive: false });
    expect(await a.claim('s', ['g', 'h'])).toEqual([
      { kind: 'refused', groupId: 'g', reason: 'session-dead' },
      { kind: 'refused', groupId: 'h', reason: 'session-dead' },
    ]);
    expect(await a.held('s')).toEqual({ alive: false, grantCount: 0, leases: [] });
    await a.contend('s', ['g']);
    expect(await b!.read(['g'])).toEqual([{ groupId: 'g', term: 1, holder: null, contenderCount: 0 }]);
    expect(clients.database().prepare('select count(*) from wb_contender').pluck().get()).toBe(0);
    await expect(b!.openSession(long('s'))).rejects.toMatchObject({ code: 'STORE_SESSION_EXISTS', outcome: 'none', isRetryable: false });
  });

  it('S2: closed and unknown sessions are refused like expired ones', async () => {
    const [a, b] = await clients.open(2);
    await a.openSession(long('closed'));
    await b!.closeSession('closed');
    for (const sessionId of ['closed', 'unknown']) {
      expect(await a.heartbeat({ sessionId, holders: [] })).toEqual({ alive: false });
      expect(await a.claim(sessionId, ['g'])).toEqual([{ kind: 'refused', groupId: 'g', reason: 'session-dead' }]);
      expect(await a.held(sessionId)).toEqual({ alive: false, grantCount: 0, leases: [] });
    }
    expect(await a.read(['g'])).toEqual([{ groupId: 'g', term: 0, holder: null, contenderCount: 0 }]);
  });

  it('S3: closing frees every group at once, also more than one part of them, and can be repeated', async () => {
    const [a, b] = await clients.open(2);
    const groupIds = Array.from({ length: 600 }, (_, at) => `g${at}`);
    await a.openSession(long('s'));
    await b!.openSession(long('t'));
    await a.claim('s', groupIds);
    await a.contend('s', groupIds);
    await a.closeSession('s');
    await b!.closeSession('s');
    await a.closeSession('never opened');
    expect(clients.database().prepare('select count(*) from wb_lease where session_id is not null').pluck().get()).toBe(0);
    expect(clients.database().prepare('select count(*) from wb_contender').pluck().get()).toBe(0);
    const results = await b!.claim('t', groupIds);
    expect(results.every((result) => result.kind === 'granted' && result.term === 2)).toBe(true);
  });

  it('S3: the groups are free from the first commit on, whatever tidying up is left', async () => {
    const [other] = await clients.open(1);
    const { store, scheduler } = await clients.openStepwise();
    const groupIds = Array.from({ length: 600 }, (_, at) => `g${at}`);
    for (const sessionId of ['s', 't']) await store.openSession(long(sessionId));
    const claiming = store.claim('s', groupIds);
    await scheduler.runFor(1);
    await claiming;
    // Just the first part runs, as if the process died then.
    const closing = Promise.allSettled([store.closeSession('s')]);
    expect(clients.database().prepare('select count(*) from wb_lease where session_id is not null').pluck().get()).toBe(350);
    await store.close();
    await closing;
    const results = await other.claim('t', groupIds);
    expect(results.every((result) => result.kind === 'granted' && result.term === 2)).toBe(true);
  });

  it('S4: sessions dead for longer than the retention are forgotten, without any effect on S2 and L2', async () => {
    const [a, b] = await clients.open(2, { sessionRetentionMs: 0 });
    await a.openSession(long('s'));
    await a.claim('s', ['g']);
    clients.expire('s');
    await b!.openSession(long('t'));
    expect(clients.database().prepare("select count(*) from wb_session where session_id = 's'").pluck().get()).toBe(0);
    expect(await a.heartbeat({ sessionId: 's', holders: [] })).toEqual({ alive: false });
    expect(await a.claim('s', ['g'])).toEqual([{ kind: 'refused', groupId: 'g', reason: 'session-dead' }]);
    expect(await b!.claim('t', ['g'])).toEqual([{ kind: 'granted', groupId: 'g', term: 2, fresh: true }]);
  });

  it('S4: a dead session is kept for its retention, and a session is never forgotten before its leases are', async () => {
    const [a, b] = await clients.open(2, { sessionRetentionMs: 60_000 });
    await a.openSession(long('recent'));
    await a.closeSession('recent');
    await a.openSession(long('old'));
    await a.claim(
      'old',
      Array.from({ length: 1_200 }, (_, at) => `g${at}`),
    );
    clients.expire('old');
    const known = (): unknown[] => clients.database().prepare('select session_id from wb_session order by 1').pluck().all();
    // 500 rows each time.
    await b!.openSession(long('x1'));
    await b!.openSession(long('x2'));
    expect(known()).toEqual(['old', 'recent', 'x1', 'x2']);
    await b!.openSession(long('x3'));
    expect(known()).toEqual(['recent', 'x1', 'x2', 'x3']);
    expect(clients.database().prepare('select count(*), sum(term) from wb_lease where session_id is null').raw().get()).toEqual([
      1_200, 1_200,
    ]);
  });

  it('a session that a heartbeat asks about is answered for by the clock, in the order asked, also twice and unknown', async () => {
    const [a, b] = await clients.open(2);
    for (const sessionId of ['dead', 'live', 'own']) await a.openSession(long(sessionId));
    await a.claim('live', ['g']);
    await a.release('live', [{ groupId: 'g', term: 1 }]);
    clients.expire('dead');
    const result = await b!.heartbeat({ sessionId: 'own', holders: ['live', 'dead', 'unknown', 'live'] });
    const live = { sessionId: 'live', remainingMs: expect.closeTo(LONG_MS, -5) as number, releaseCount: 1 };
    expect(result).toEqual({
      alive: true,
      grantCount: 0,
      standbyRank: 0,
      holders: [
        live,
        { sessionId: 'dead', remainingMs: 0, releaseCount: 0 },
        { sessionId: 'unknown', remainingMs: 0, releaseCount: 0 },
        live,
      ],
    });
  });

  it('§8: thousands of heartbeats leave a write-ahead log that no longer grows', async () => {
    const [a] = await clients.open(1);
    // More than one: a heartbeat within the same millisecond changes nothing, and SQLite writes nothing then.
    const sessionIds = Array.from({ length: 25 }, (_session, at) => `s${at}`);
    for (const sessionId of sessionIds) await a.openSession(long(sessionId));
    const [{ file }] = clients.database().pragma('database_list') as [{ readonly file: string }];
    const beat = async (rounds: number): Promise<number> => {
      for (let round = 0; round < rounds; round += 1) for (const sessionId of sessionIds) await a.heartbeat({ sessionId, holders: ['s0'] });
      return statSync(`${file}-wal`).size;
    };
    // SQLite copies the log into the file every 1,000 pages, and begins it anew.
    const before = await beat(60);
    expect(before).toBeGreaterThan(900 * 4_096);
    expect(await beat(90)).toBeLessThan(1.1 * before);
  });

  it('§8: a rank is not counted beyond its maximum, and not at all for who waits for nobody', async () => {
    const [a] = await clients.open(1);
    for (let at = 0; at < MAX_STANDBY_RANK + 3; at += 1) await a.openSession(long(`older-${at}`));
    clients.database().exec('update wb_session set opened_at_ms = opened_at_ms - 1000');
    await a.openSession(long('s'));
    expect(await a.heartbeat({ sessionId: 's', holders: ['older-0'] })).toMatchObject({ standbyRank: MAX_STANDBY_RANK });
    expect(await a.heartbeat({ sessionId: 's', holders: [] })).toMatchObject({ standbyRank: 0 });
  });

  it('survives being reopened: sessions, terms and counts are in the file', async () => {
    const [a] = await clients.open(1);
    await a.openSession({ ...long('s'), memberId: 'Zoë', metadata: { host: 'x', emoji: '🐘' } });
    await a.claim('s', ['g', 'h']);
    await a.release('s', [{ groupId: 'h', term: 1 }]);
    await a.close();
    const [again] = await clients.open(1);
    expect(await again.heartbeat({ sessionId: 's', holders: ['s'] })).toMatchObject({
      alive: true,
      grantCount: 2,
      holders: [{ releaseCount: 1 }],
    });
    expect(await again.members()).toMatchObject([
      { sessionId: 's', memberId: 'Zoë', ttlMs: LONG_MS, leaseCount: 1, contendCount: 1, metadata: { host: 'x', emoji: '🐘' } },
    ]);
  });
});
