import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createOrders } from './orders-database.js';
import { proveLedger, PROOFS } from './proof.js';
import { targets } from './targets/index.js';
import type { Connection, Place } from './targets/target.js';

const LEADERSHIPS = [
  { memberId: 'node-a', term: 1 },
  { memberId: 'node-b', term: 2 },
];

const place: Place = { target: 'sqlite', address: ':memory:', namespace: 'demo_' };

let database: Connection;

/** A ledger as it should be: node-a settles orders 1 to 10 in term 1, then node-b the others in term 2. */
beforeEach(async () => {
  database = await targets.sqlite.connect(place);
  await createOrders(database, place, 20);
  for (let orderId = 1; orderId <= 20; orderId++) {
    const { memberId, term } = LEADERSHIPS[orderId <= 10 ? 0 : 1]!;
    await plant({ orderId, memberId, term });
  }
  await database.run("update demo_orders set status = 'settled'");
  await database.run('update demo_account set balance_cents = (select sum(amount_cents) from demo_orders)');
});
afterEach(async () => database[Symbol.asyncDispose]());

async function plant({
  orderId,
  memberId,
  term,
  leaseTerm = term,
}: {
  orderId: number;
  memberId: string;
  term: number;
  leaseTerm?: number;
}): Promise<void> {
  const values = [orderId, memberId, term, leaseTerm];
  await database.run('insert into demo_settlements (order_id, member_id, term, lease_term) values (?, ?, ?, ?)', values);
}

async function failedProofs(): Promise<string[]> {
  return (await proveLedger(database, place, 20, LEADERSHIPS)).filter(({ isTrue }) => !isTrue).map(({ title }) => title);
}

describe('the proof', () => {
  it('holds for a ledger as it should be', async () => {
    expect(await failedProofs()).toEqual([]);
    expect(await proveLedger(database, place, 20, LEADERSHIPS)).toHaveLength(Object.keys(PROOFS).length);
  });

  it('sees an order that was settled twice', async () => {
    await plant({ orderId: 7, memberId: 'node-b', term: 2 });
    expect(await failedProofs()).toEqual([PROOFS.once, PROOFS.money]);
  });

  it('sees a double settlement that makes up for a missing one', async () => {
    await database.run('update demo_settlements set order_id = 12 where order_id = 13');
    expect(await failedProofs()).toContain(PROOFS.once);
    expect(await failedProofs()).toContain(PROOFS.complete);
  });

  it('sees a settlement by a stale term before the new term has settled anything', async () => {
    await database.run('update demo_settlements set lease_term = 2 where order_id = 10');
    expect(await failedProofs()).toEqual([PROOFS.fresh]);
  });

  it('sees a term that comes after a later one', async () => {
    await database.run("update demo_settlements set term = 1, lease_term = 1, member_id = 'node-a' where order_id = 15");
    expect(await failedProofs()).toEqual([PROOFS.inOrder]);
  });

  it('sees a settlement that was written without any lease', async () => {
    await database.run('update demo_settlements set lease_term = null where order_id = 10');
    expect(await failedProofs()).toEqual([PROOFS.fresh]);
  });

  it('sees an order that was never settled', async () => {
    await database.run('delete from demo_settlements where order_id = 20');
    expect(await failedProofs()).toEqual([PROOFS.complete, PROOFS.money]);
  });

  it('sees an order that is in the ledger but still open', async () => {
    await database.run("update demo_orders set status = 'open' where id = 3");
    expect(await failedProofs()).toEqual([PROOFS.complete]);
  });

  it('sees two members in one term', async () => {
    await database.run("update demo_settlements set member_id = 'node-c' where order_id = 20");
    expect(await failedProofs()).toEqual([PROOFS.oneLeader]);
  });

  it('sees a member that settled in a term that another one led', async () => {
    await database.run("update demo_settlements set member_id = 'node-c' where term = 2");
    expect(await failedProofs()).toEqual([PROOFS.oneLeader]);
  });

  it('sees a lost update of the balance', async () => {
    await database.run('update demo_account set balance_cents = balance_cents - 100');
    expect(await failedProofs()).toEqual([PROOFS.money]);
  });
});
