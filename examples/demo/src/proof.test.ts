import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createOrders } from './orders-database.js';
import { proveLedger, PROOFS } from './proof.js';

const LEADERSHIPS = [
  { memberId: 'node-a', term: 1 },
  { memberId: 'node-b', term: 2 },
];

let database: Database.Database;

/** A ledger as it should be: node-a settles orders 1 to 10 in term 1, then node-b the others in term 2. */
beforeEach(() => {
  database = new Database(':memory:');
  createOrders(database, 20);
  for (let orderId = 1; orderId <= 20; orderId++) {
    const { memberId, term } = LEADERSHIPS[orderId <= 10 ? 0 : 1]!;
    plant({ orderId, memberId, term });
  }
  database.exec("update orders set status = 'settled'; update account set balance_cents = (select sum(amount_cents) from orders)");
});
afterEach(() => database.close());

function plant({
  orderId,
  memberId,
  term,
  leaseTerm = term,
}: {
  orderId: number;
  memberId: string;
  term: number;
  leaseTerm?: number;
}): void {
  database
    .prepare('insert into settlements (order_id, member_id, term, lease_term) values (?, ?, ?, ?)')
    .run(orderId, memberId, term, leaseTerm);
}

function failedProofs(): string[] {
  return proveLedger(database, 20, LEADERSHIPS)
    .filter(({ isTrue }) => !isTrue)
    .map(({ title }) => title);
}

describe('the proof', () => {
  it('holds for a ledger as it should be', () => {
    expect(failedProofs()).toEqual([]);
    expect(proveLedger(database, 20, LEADERSHIPS)).toHaveLength(Object.keys(PROOFS).length);
  });

  it('sees an order that was settled twice', () => {
    plant({ orderId: 7, memberId: 'node-b', term: 2 });
    expect(failedProofs()).toEqual([PROOFS.once, PROOFS.money]);
  });

  it('sees a double settlement that makes up for a missing one', () => {
    database.exec('update settlements set order_id = 12 where order_id = 13');
    expect(failedProofs()).toContain(PROOFS.once);
    expect(failedProofs()).toContain(PROOFS.complete);
  });

  it('sees a settlement by a stale term before the new term has settled anything', () => {
    database.exec('update settlements set lease_term = 2 where order_id = 10');
    expect(failedProofs()).toEqual([PROOFS.fresh]);
  });

  it('sees a term that comes after a later one', () => {
    database.exec("update settlements set term = 1, lease_term = 1, member_id = 'node-a' where order_id = 15");
    expect(failedProofs()).toEqual([PROOFS.inOrder]);
  });

  it('sees a settlement that was written without any lease', () => {
    database.exec('update settlements set lease_term = null where order_id = 10');
    expect(failedProofs()).toEqual([PROOFS.fresh]);
  });

  it('sees an order that was never settled', () => {
    database.exec('delete from settlements where order_id = 20');
    expect(failedProofs()).toEqual([PROOFS.complete, PROOFS.money]);
  });

  it('sees an order that is in the ledger but still open', () => {
    database.exec("update orders set status = 'open' where id = 3");
    expect(failedProofs()).toEqual([PROOFS.complete]);
  });

  it('sees two members in one term', () => {
    database.exec("update settlements set member_id = 'node-c' where order_id = 20");
    expect(failedProofs()).toEqual([PROOFS.oneLeader]);
  });

  it('sees a member that settled in a term that another one led', () => {
    database.exec("update settlements set member_id = 'node-c' where term = 2");
    expect(failedProofs()).toEqual([PROOFS.oneLeader]);
  });

  it('sees a lost update of the balance', () => {
    database.exec('update account set balance_cents = balance_cents - 100');
    expect(failedProofs()).toEqual([PROOFS.money]);
  });
});
