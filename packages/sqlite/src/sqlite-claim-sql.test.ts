import type { ClaimResult, LeaseStore } from '@wb/core';
import { describe, expect, it } from 'vitest';
import { storeClients } from '../test-support/store-clients.js';

const LONG_MS = 3_600_000;
const SHORT_MS = 300;

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
    await openSessions(a, 's', 't');
    await a.claim('s', ['g']);
    clients.expireIn('s', SHORT_MS);
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

  it('L5: a heartbeat that was acknowledged keeps the groups until the expiry that it set, not the one before', async () => {
    const [a, b] = await clients.open(2);
    await openSessions(a, 's', 't');
    await a.claim('s', ['g']);
    clients.expireIn('s', 500);
    const database = clients.database();
    const oldExpiry = database.prepare("select expires_at_ms from wb_session where session_id = 's'").pluck().get();
    expect(await a.heartbeat({ sessionId: 's', holders: [] })).toMatchObject({ alive: true });
    const isPast = database.prepare("select unixepoch('subsec') * 1000 > ?").pluck();
    await expect.poll(() => isPast.get(oldExpiry), { interval: 5, timeout: 4_000 }).toBe(1);
    expect(await b!.claim('t', ['g'])).toMatchObject([{ reason: 'held', holder: { remainingMs: expect.closeTo(LONG_MS, -5) as number } }]);
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
});
