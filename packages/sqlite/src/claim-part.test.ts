import type { LeaseStore } from '@wb/core';
import { describe, expect, it } from 'vitest';
import { storeClients } from '../test-support/store-clients.js';

const LONG_MS = 3_600_000;

describe('a claim of many groups', () => {
  const clients = storeClients();

  async function openSessions(store: LeaseStore, ...sessionIds: string[]): Promise<void> {
    for (const sessionId of sessionIds) await store.openSession({ sessionId, memberId: 'm', ttlMs: LONG_MS });
  }

  const manyGroups = Array.from({ length: 500 }, (_, at) => `g${at}`);
  const leaseCount = (): unknown => clients.database().prepare('select count(*) from wb_lease').pluck().get();

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
    const { store, scheduler } = await clients.openStepwise();
    await openSessions(store, 's');
    const claiming = store.claim('s', manyGroups);
    expect(leaseCount()).toBe(250);
    clients.expire('s');
    await scheduler.runFor(1);
    const kinds = (await claiming).map((result) => (result.kind === 'granted' ? 'granted' : result.reason));
    expect(kinds).toEqual([...Array<string>(250).fill('granted'), ...Array<string>(250).fill('session-dead')]);
  });

  it('T5: a batch of which a later part fails has an unknown outcome, because the earlier parts were committed', async () => {
    const { store, scheduler } = await clients.openStepwise();
    await openSessions(store, 's');
    const abort = new AbortController();
    const claiming = Promise.allSettled([store.claim('s', manyGroups, { signal: abort.signal })]);
    expect(leaseCount()).toBe(250);
    abort.abort();
    await scheduler.runFor(1);
    expect(await claiming).toMatchObject([
      { status: 'rejected', reason: { code: 'STORE_TIMEOUT', outcome: 'unknown', isRetryable: true } },
    ]);
    expect(leaseCount()).toBe(250);
  });

  it('lets others write between two parts', async () => {
    const { store, scheduler } = await clients.openStepwise();
    await openSessions(store, 's');
    const claiming = store.claim('s', manyGroups);
    const database = clients.database();
    // Fails at once if the lock is held.
    database.pragma('busy_timeout = 0');
    database.exec('begin immediate; commit');
    await scheduler.runFor(1);
    expect((await claiming).length).toBe(500);
  });
});
