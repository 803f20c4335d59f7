import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { countSettlements, createOrders, openOrders } from './orders-database.js';
import { orderSettler, type Settle } from './settle-orders.js';
import { targets } from './targets/index.js';
import type { Connection, FencingStore, Place } from './targets/target.js';

const groupId = 'orders';
const orders = [
  { orderId: 1, amountCents: 100 },
  { orderId: 2, amountCents: 20 },
];

let place: Place;
let connection: Connection;
let other: Connection;
let store: FencingStore;

beforeEach(async () => {
  place = { target: 'sqlite', address: join(mkdtempSync(join(tmpdir(), 'wb-demo-test-')), 'orders.sqlite'), namespace: 'demo_' };
  connection = await targets.sqlite.connect(place);
  other = await targets.sqlite.connect(place);
  await createOrders(connection, place, 3);
  store = targets.sqlite.open(place);
  await store.store.migrate();
  for (const sessionId of ['old', 'new']) await store.store.openSession({ sessionId, memberId: sessionId, ttlMs: 60_000 });
  await store.store.claim('old', [groupId]);
});
afterEach(async () => {
  await store.store.close();
  await connection[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  rmSync(join(place.address, '..'), { recursive: true });
});

function settler(sessionId: string, isFenced: boolean = true): Settle {
  return orderSettler({ place, memberId: 'node-a', lease: { groupId, term: 1, sessionId }, store, connection, isFenced });
}

async function takeOver(): Promise<void> {
  await store.store.closeSession('old');
  await store.store.claim('new', [groupId]);
}

async function found(): Promise<unknown> {
  const [account] = await connection.all<{ balance_cents: number }>('select balance_cents from demo_account');
  const open = (await openOrders(connection, place)).map(({ orderId }) => orderId);
  return { settlements: await countSettlements(connection, place), open, balance: account!.balance_cents };
}

describe('the settlement of orders', () => {
  it('writes the ledger, the orders and the balance in the term of the lease', async () => {
    expect(await settler('old')(orders)).toBe('settled');
    expect(await found()).toEqual({ settlements: 2, open: [3], balance: 120 });
    expect(await connection.all('select order_id, member_id, term, lease_term from demo_settlements order by id')).toEqual([
      { order_id: 1, member_id: 'node-a', term: 1, lease_term: 1 },
      { order_id: 2, member_id: 'node-a', term: 1, lease_term: 1 },
    ]);
  });

  it('is refused, and writes nothing, once a later term was granted', async () => {
    const settle = settler('old');
    await takeOver();
    expect(await settle(orders)).toBe('refused');
    expect(await found()).toEqual({ settlements: 0, open: [1, 2, 3], balance: 0 });
  });

  it('is refused to another session in the same term', async () => {
    expect(await settler('new')(orders)).toBe('refused');
    expect(await found()).toMatchObject({ settlements: 0 });
  });

  it('without the fence is written in a stale term, which the ledger tells', async () => {
    await takeOver();
    expect(await settler('old', false)(orders)).toBe('settled');
    expect(await connection.all('select distinct term, lease_term from demo_settlements')).toEqual([{ term: 1, lease_term: 2 }]);
  });

  it('without the fence does not wait for the write lock', async () => {
    await other.run('begin immediate');
    expect(await settler('old', false)(orders)).toBe('busy');
    await other.run('rollback');
    expect(await settler('old', false)(orders)).toBe('settled');
  });

  it('a fault whose outcome is not known is no "busy": nothing may be settled twice', async () => {
    const settle = settler('old');
    await connection.run('alter table demo_account rename to gone');
    await expect(settle(orders)).rejects.toThrow('demo_account');
    expect(await countSettlements(connection, place)).toBe(0);
  });
});
