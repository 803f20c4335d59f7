import type { ClaimResult, LeaseStore } from '@wb/core';
import { TABLE_NAMES } from '@wb/sql';
import { describe, expect, it } from 'vitest';
import { storeClients } from '../test-support/store-clients.js';

const LONG_MS = 3_600_000;

const grant = (groupId: string, term: number): ClaimResult => ({ kind: 'granted', groupId, term, fresh: true });

describe('hostile names', () => {
  const clients = storeClients();

  const open = async (store: LeaseStore): Promise<void> => {
    await store.openSession({ sessionId: 's', memberId: 'm', ttlMs: LONG_MS });
  };

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
    expect(clients.database().prepare("select count(*) from sqlite_schema where type = 'table'").pluck().get()).toBe(TABLE_NAMES.length);
  });

  it.each([
    ['NUL', 'a\0b'],
    ['a line break', 'a\nb'],
    ['half a character', '\uD83D'],
    ['nothing', ''],
    ['256 characters', 'x'.repeat(256)],
  ])('F7: %s is refused before the database is touched', async (_what, name) => {
    const [a] = await clients.open(1);
    await open(a);
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
    await open(a);
    const alike = ['g', 'G', 'g ', ' g', 'é', 'e\u0301', 'ß', 'ss', '1', '01', '1.0', '1e0'];
    expect(await a.claim('s', alike)).toEqual(alike.map((groupId) => grant(groupId, 1)));
  });
});
