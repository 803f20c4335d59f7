import { sqliteLeaseStore } from '@wb/sqlite';
import type { LeaseStore } from '@wb/core';
import type Database from 'better-sqlite3';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { countSettlements, createOrders, openOrders, openOrdersDatabase } from './orders-database.js';
import { orderSettler } from './settle-order.js';

const groupId = 'orders';
const order = { orderId: 1, amountCents: 100 };

let folder: string;
let database: Database.Database;
let other: Database.Database;
let store: LeaseStore;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'wb-demo-test-'));
  const filename = join(folder, 'orders.sqlite');
  database = openOrdersDatabase(filename);
  other = openOrdersDatabase(filename);
  createOrders(database, 3);
  store = sqliteLeaseStore({ filename });
  await store.migrate();
  for (const sessionId of ['old', 'new']) await store.openSession({ sessionId, memberId: sessionId, ttlMs: 60_000 });
  await store.claim('old', [groupId]);
});
afterEach(async () => {
  await store.close();
  database.close();
  other.close();
  rmSync(folder, { recursive: true });
});

const balance = (): unknown => database.prepare('select balance_cents from account').pluck().get();

describe('the settlement of an order', () => {
  it('writes the ledger, the order and the balance in the term of the lease', () => {
    const settle = orderSettler(database, 'node-a', { groupId, term: 1, sessionId: 'old' }, true);
    expect(settle(order)).toBe('settled');
    expect(countSettlements(database)).toBe(1);
    expect(openOrders(database).map(({ orderId }) => orderId)).toEqual([2, 3]);
    expect(balance()).toBe(100);
  });

  it('is refused, and writes nothing, once a later term was granted', async () => {
    const settle = orderSettler(database, 'node-a', { groupId, term: 1, sessionId: 'old' }, true);
    await store.closeSession('old');
    await store.claim('new', [groupId]);
    expect(settle(order)).toBe('refused');
    expect(countSettlements(database)).toBe(0);
    expect(openOrders(database)).toHaveLength(3);
    expect(balance()).toBe(0);
  });

  it('is refused to another session in the same term', () => {
    const settle = orderSettler(database, 'node-a', { groupId, term: 1, sessionId: 'new' }, true);
    expect(settle(order)).toBe('refused');
  });

  it('without the fence is written in a stale term, which the ledger tells', async () => {
    const settle = orderSettler(database, 'node-a', { groupId, term: 1, sessionId: 'old' }, false);
    await store.closeSession('old');
    await store.claim('new', [groupId]);
    expect(settle(order)).toBe('settled');
    expect(database.prepare('select term, lease_term from settlements').get()).toEqual({ term: 1, lease_term: 2 });
  });

  it('does not wait for the write lock', () => {
    const settle = orderSettler(database, 'node-a', { groupId, term: 1, sessionId: 'old' }, true);
    other.exec('begin immediate');
    expect(settle(order)).toBe('busy');
    other.exec('rollback');
    expect(settle(order)).toBe('settled');
  });
});
