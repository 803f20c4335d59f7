import type { ClaimResult, LeaseStore } from '@wb/core';
import { describe, expect, it } from 'vitest';
import { storeClients } from '../test-support/store-clients.js';

const LONG_MS = 3_600_000;
const SHORT_MS = 60;

const grant = (groupId: string, term: number, fresh: boolean = true): ClaimResult => ({ kind: 'granted', groupId, term, fresh });

describe('leases in one file, seen by several clients', () => {
  const clients = storeClients();

  async function openSessions(store: LeaseStore, ...sessionIds: string[]): Promise<void> {
    for (const sessionId of sessionIds) await store.openSession({ sessionId, memberId: `member of ${sessionId}`, ttlMs: LONG_MS });
  }

  it('L1: a group is free when it was never held, was released, or is held by a dead session; else the holder is named', async () => {
    const [a, b] = await clients.open(2);
    await openSessions(a, 's', 't');
    expect(await a.claim('s', ['g'])).toEqual([grant('g', 1)]);
    expect(await b!.claim('t', ['g'])).toEqual([
      {
        kind: 'refused',
        groupId: 'g',
        reason: 'held',
        holder: {
          sessionId: 's',
          memberId: 'member of s',
          term: 1,
          remainingMs: expect.closeTo(LONG_MS, -5) as number,
          releaseCount: 0,
        },
      },
    ]);
    await a.release('s', [{ groupId: 'g', term: 1 }]);
    expect(await b!.claim('t', ['g'])).toEqual([grant('g', 2)]);
    clients.expire('t');
    expect(await a.claim('s', ['g'])).toEqual([grant('g', 3)]);
    await a.closeSession('s');
    await openSessions(b!, 'u');
    expect(await b!.claim('u', ['g'])).toEqual([grant('g', 4)]);
  });

  it('L1: an expired holder keeps its group up to its expiry, by the time that was left to it', async () => {
    const [a, b] = await clients.open(2);
    await a.openSession({ sessionId: 's', memberId: 'm', ttlMs: SHORT_MS });
    await openSessions(b!, 't');
    await a.claim('s', ['g']);
    const left: number[] = [];
    for (;;) {
      const [result] = await b!.claim('t', ['g']);
      if (result!.kind === 'granted') break;
      left.push(result!.reason === 'held' ? result!.holder.remainingMs : Number.NaN);
    }
    expect(left.length).toBeGreaterThan(0);
    // Above 0 as long as it is held, and only ever less.
    expect(left.every((ms, at) => ms > 0 && ms <= (left[at - 1] ?? SHORT_MS))).toBe(true);
    expect(await a.held('s')).toMatchObject({ alive: false });
  });

  it('L2: terms rise by one, over releases, expiries, closings, pruning and reopening', async () => {
    const [a] = await clients.open(1, { sessionRetentionMs: 0 });
    const terms: number[] = [];
    const claim = async (store: LeaseStore, sessionId: string): Promise<number> => {
      await openSessions(store, sessionId);
      const [result] = await store.claim(sessionId, ['g']);
      if (result!.kind !== 'granted') throw new Error('refused');
      terms.push(result!.term);
      return result!.term;
    };
    await a.release('released', [{ groupId: 'g', term: await claim(a, 'released') }]);
    clients.expire('released');
    await claim(a, 'expired');
    clients.expire('expired');
    await claim(a, 'closed');
    await a.closeSession('closed');
    // Forgets all three.
    await openSessions(a, 'pruner');
    expect(clients.database().prepare('select session_id from wb_session').pluck().all()).toEqual(['pruner']);
    await claim(a, 'left');
    await a.closeSession('left');
    await a.close();
    const [again] = await clients.open(1);
    await claim(again, 'last');
    expect(terms).toEqual([1, 2, 3, 4, 5]);
  });

  it('L3: its holder is granted a group again in the same term, without a fresh grant, and one release frees it', async () => {
    const [a, b] = await clients.open(2);
    await openSessions(a, 's', 't');
    await a.claim('s', ['g']);
    expect(await b!.claim('s', ['g'])).toEqual([grant('g', 1, false)]);
    expect(await a.claim('s', ['g'])).toEqual([grant('g', 1, false)]);
    expect(await a.held('s')).toEqual({ alive: true, grantCount: 1, leases: [{ groupId: 'g', term: 1 }] });
    expect(await b!.release('s', [{ groupId: 'g', term: 1 }])).toEqual([{ kind: 'released', groupId: 'g', term: 1 }]);
    expect(await a.claim('t', ['g'])).toEqual([grant('g', 2)]);
  });

  it('L3: a release is exact: another term, group or session, or a second one, frees nothing and counts nothing', async () => {
    const [a, b] = await clients.open(2);
    await openSessions(a, 's', 't');
    await a.claim('s', ['g']);
    for (const [sessionId, groupId, term] of [
      ['t', 'g', 1],
      ['s', 'g', 2],
      ['s', 'G', 1],
      ['s', 'g ', 1],
      ['unknown', 'g', 1],
    ] as const) {
      expect(await b!.release(sessionId, [{ groupId, term }])).toEqual([{ kind: 'not-held', groupId, term }]);
    }
    expect((await b!.read(['g']))[0]).toMatchObject({ term: 1, holder: { sessionId: 's', releaseCount: 0 } });
    const twice = [
      { groupId: 'g', term: 1 },
      { groupId: 'g', term: 1 },
    ];
    expect((await a.release('s', twice)).map(({ kind }) => kind)).toEqual(['released', 'not-held']);
    await a.claim('s', ['g']);
    // Late: it was sent before.
    expect((await a.release('s', twice)).map(({ kind }) => kind)).toEqual(['not-held', 'not-held']);
    expect((await b!.read(['g']))[0]).toMatchObject({ term: 2, holder: { sessionId: 's', releaseCount: 1 } });
  });

  it('L3: a wrong and the right term of one group in one release: just the right one frees', async () => {
    const [a] = await clients.open(1);
    await openSessions(a, 's');
    await a.claim('s', ['g']);
    const terms = [2, 1, 3].map((term) => ({ groupId: 'g', term }));
    expect((await a.release('s', terms)).map(({ kind }) => kind)).toEqual(['not-held', 'released', 'not-held']);
  });

  it('L4: of the concurrent claims of eight clients exactly one is granted, a hundred times', async () => {
    const stores = await clients.open(8);
    await openSessions(stores[0], ...stores.map((_, at) => `s${at}`));
    for (let round = 0; round < 100; round += 1) {
      const results = await Promise.all(stores.map((store, at) => store.claim(`s${at}`, ['g'])));
      const granted = results.flat().flatMap((result, at) => (result.kind === 'granted' ? [{ ...result, at }] : []));
      expect(granted).toMatchObject([{ term: round + 1, fresh: true }]);
      const { at, term } = granted[0]!;
      await stores[at]!.release(`s${at}`, [{ groupId: 'g', term }]);
    }
  });

  it('L5: a heartbeat that was acknowledged keeps the groups until the expiry that it set, however long ago the old one was', async () => {
    const [a, b] = await clients.open(2);
    await openSessions(a, 's', 't');
    await a.claim('s', ['g']);
    const database = clients.database();
    for (let round = 0; round < 20; round += 1) {
      // All but over: a claim that looked at the old expiry would be granted in a moment.
      database.exec("update wb_session set expires_at_ms = cast(unixepoch('subsec') * 1000 as integer) + 20 where session_id = 's'");
      const { alive } = await a.heartbeat({ sessionId: 's', holders: [] });
      const [result] = await b!.claim('t', ['g']);
      expect([alive, result!.kind]).toEqual([true, 'refused']);
    }
  });

  it('L5: a heartbeat that is not committed holds a claim back, and decides about it', async () => {
    const [a] = await clients.open(1);
    await openSessions(a, 's', 't');
    await a.claim('s', ['g']);
    clients.expire('s');
    const database = clients.database();
    // As the heartbeat of another process, in the middle of its transaction; it has found itself live.
    database.exec('begin immediate');
    database.exec("update wb_session set expires_at_ms = 99999999999999 where session_id = 's'");
    const claiming = a.claim('t', ['g']);
    let isSettled = false;
    void claiming.finally(() => (isSettled = true));
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
    expect(isSettled).toBe(false);
    database.exec('commit');
    expect(await claiming).toMatchObject([{ kind: 'refused', reason: 'held', holder: { sessionId: 's', term: 1 } }]);
  });

  it('answers a batch in its order: held, own, free, dead, and each of them twice', async () => {
    const [a, b] = await clients.open(2);
    await openSessions(a, 's', 't', 'd');
    await b!.claim('t', ['held']);
    await a.claim('s', ['own']);
    await b!.claim('d', ['dead']);
    clients.expire('d');
    const asked = ['held', 'own', 'free', 'dead', 'free', 'dead', 'own', 'held'];
    const results = await a.claim('s', asked);
    expect(results.map((result) => [result.groupId, result.kind === 'granted' ? [result.term, result.fresh] : result.reason])).toEqual([
      ['held', 'held'],
      ['own', [1, false]],
      ['free', [1, true]],
      ['dead', [2, true]],
      ['free', [1, false]],
      ['dead', [2, false]],
      ['own', [1, false]],
      ['held', 'held'],
    ]);
    // The duplicates count once.
    expect((await a.held('s')).grantCount).toBe(3);
    const views = await b!.read(asked);
    expect(views.map(({ groupId, term, holder }) => [groupId, term, holder?.sessionId])).toEqual([
      ['held', 1, 't'],
      ['own', 1, 's'],
      ['free', 1, 's'],
      ['dead', 2, 's'],
      ['free', 1, 's'],
      ['dead', 2, 's'],
      ['own', 1, 's'],
      ['held', 1, 't'],
    ]);
  });

  it('takes batches of more than one part, with duplicates in different parts', async () => {
    const [a, b] = await clients.open(2);
    await openSessions(a, 's', 't');
    const groupIds = [...Array.from({ length: 777 }, (_, at) => `g${at}`), 'g0', 'g500'];
    const claimed = await a.claim('s', groupIds);
    expect(claimed.map(({ groupId }) => groupId)).toEqual(groupIds);
    expect(claimed.filter((result) => result.kind === 'granted' && !result.fresh).map(({ groupId }) => groupId)).toEqual(['g0', 'g500']);
    expect((await a.held('s')).grantCount).toBe(777);
    await b!.contend('t', groupIds);
    const views = await b!.read(groupIds);
    expect(views.map(({ groupId }) => groupId)).toEqual(groupIds);
    expect(views.every(({ term, contenderCount }) => term === 1 && contenderCount === 2)).toBe(true);
    const released = await a.release(
      's',
      groupIds.map((groupId) => ({ groupId, term: 1 })),
    );
    expect(released.filter(({ kind }) => kind === 'not-held').map(({ groupId }) => groupId)).toEqual(['g0', 'g500']);
    expect(await b!.heartbeat({ sessionId: 't', holders: ['s'] })).toMatchObject({ holders: [{ releaseCount: 777 }] });
    await b!.withdraw('t', groupIds);
    expect(clients.database().prepare('select count(*) from wb_contender').pluck().get()).toBe(0);
  });

  it('T10: a session that dies between two parts of its batch is refused from there on', async () => {
    const [a] = await clients.open(1);
    await openSessions(a, 's');
    const groupIds = Array.from({ length: 500 }, (_, at) => `g${at}`);
    const claiming = a.claim('s', groupIds);
    const database = clients.database();
    await expect.poll(() => database.prepare('select count(*) from wb_lease').pluck().get(), { interval: 0 }).toBe(250);
    database.exec('update wb_session set expires_at_ms = 1');
    const kinds = (await claiming).map((result) => (result.kind === 'granted' ? 'granted' : result.reason));
    expect(kinds).toEqual([...Array<string>(250).fill('granted'), ...Array<string>(250).fill('session-dead')]);
  });

  it('T5: a batch of which a later part fails has an unknown outcome, because the earlier parts were committed', async () => {
    const [a] = await clients.open(1);
    await openSessions(a, 's');
    const groupIds = Array.from({ length: 500 }, (_, at) => `g${at}`);
    const abort = new AbortController();
    const claiming = a.claim('s', groupIds, { signal: abort.signal });
    const settled = Promise.allSettled([claiming]);
    const database = clients.database();
    await expect.poll(() => database.prepare('select count(*) from wb_lease').pluck().get(), { interval: 0 }).toBe(250);
    abort.abort();
    expect((await settled)[0]).toMatchObject({
      status: 'rejected',
      reason: { code: 'STORE_TIMEOUT', outcome: 'unknown', isRetryable: true },
    });
    expect((await a.held('s')).leases.length).toBe(250);
  });

  describe('names', () => {
    it.each([
      ['a quote', "it's"],
      ['two quotes', `"g"`],
      ['SQL', "'; drop table wb_lease; --"],
      ['a JSON escape', String.raw`\u0041"],["x`],
      ['a JSON path', '$[0].x'],
      ['a wildcard', '%_*?'],
      ['an emoji of several characters', '👩‍👩‍👧'],
      ['a line separator', 'a\u2028b'],
      ['a number', '0123'],
      ['a large number', '9007199254740993'],
      ['a word of SQL', 'null'],
      ['blanks around', ' g '],
      ['a byte-order mark', '\uFEFFg'],
      ['255 characters outside of the first plane', '𝄞'.repeat(255)],
    ])('F7: %s is a name like any other', async (_what, name) => {
      const [a, b] = await clients.open(2);
      await a.openSession({ sessionId: name, memberId: name, ttlMs: LONG_MS, metadata: { [name]: name } });
      expect(await a.claim(name, [name, 'g'])).toEqual([grant(name, 1), grant('g', 1)]);
      await b!.contend(name, [name]);
      expect(await b!.read([name])).toMatchObject([
        { groupId: name, term: 1, contenderCount: 1, holder: { sessionId: name, memberId: name } },
      ]);
      expect(await b!.heartbeat({ sessionId: name, holders: [name] })).toMatchObject({ alive: true, holders: [{ sessionId: name }] });
      expect(await b!.members()).toMatchObject([{ sessionId: name, memberId: name, leaseCount: 2, metadata: { [name]: name } }]);
      expect(await b!.release(name, [{ groupId: name, term: 1 }])).toMatchObject([{ kind: 'released' }]);
      await b!.withdraw(name, [name]);
      await b!.closeSession(name);
      expect(await a.members()).toEqual([]);
      expect(clients.database().prepare("select count(*) from sqlite_schema where type = 'table'").pluck().get()).toBe(4);
    });

    it.each([
      ['NUL', 'a\0b'],
      ['a line break', 'a\nb'],
      ['half a character', '\uD83D'],
      ['nothing', ''],
      ['256 characters', 'x'.repeat(256)],
    ])('F7: %s is refused before the database is touched', async (_what, name) => {
      const [a] = await clients.open(1);
      await openSessions(a, 's');
      await a.close();
      // Closed: whatever came as far as the database would fail as that.
      const refused = { code: 'INVALID_NAME' };
      await expect(a.claim('s', ['g', name])).rejects.toMatchObject({ ...refused, field: 'groupId' });
      await expect(a.claim(name, ['g'])).rejects.toMatchObject({ ...refused, field: 'sessionId' });
      await expect(a.release('s', [{ groupId: name, term: 1 }])).rejects.toMatchObject(refused);
      await expect(a.read([name])).rejects.toMatchObject(refused);
      await expect(a.held(name)).rejects.toMatchObject(refused);
      await expect(a.contend('s', [name])).rejects.toMatchObject(refused);
      await expect(a.withdraw('s', [name])).rejects.toMatchObject(refused);
      await expect(a.closeSession(name)).rejects.toMatchObject(refused);
      await expect(a.heartbeat({ sessionId: name, holders: [] })).rejects.toMatchObject(refused);
      await expect(a.heartbeat({ sessionId: 's', holders: [name] })).rejects.toMatchObject({ ...refused, field: 'holders' });
      await expect(a.openSession({ sessionId: 't', memberId: name, ttlMs: LONG_MS })).rejects.toMatchObject({
        ...refused,
        field: 'memberId',
      });
    });

    it('F7: names that only look alike are different groups', async () => {
      const [a] = await clients.open(1);
      await openSessions(a, 's');
      const alike = ['g', 'G', 'g ', ' g', 'é', 'e\u0301', 'ß', 'ss', '1', '01', '1.0', '1e0'];
      expect(await a.claim('s', alike)).toEqual(alike.map((groupId) => grant(groupId, 1)));
    });
  });
});
