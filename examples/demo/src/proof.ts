import type Database from 'better-sqlite3';
import { count, money, type Check } from './check.js';
import type { Leadership } from './takeover-log.js';

/** What one member settled in one term. */
export interface TermShare {
  readonly term: number;
  readonly memberId: string;
  readonly orderCount: number;
  readonly amountCents: number;
}

/** The names of the checks, for those who look for one. */
export const PROOFS = {
  complete: 'every order was settled',
  once: 'no order was settled twice',
  fresh: 'no order was settled by a stale term',
  inOrder: 'the terms in the ledger never go back',
  oneLeader: 'each term was settled by its one leader',
  money: 'the balance is the sum of all orders',
} as const;

/** Asks the ledger, and nothing that a member has said about itself but who led which term. */
export function proveLedger(
  database: Database.Database,
  orderCount: number,
  leaderships: readonly Pick<Leadership, 'memberId' | 'term'>[],
): readonly Check[] {
  const ask = (sql: string): number => database.prepare<[], number>(sql).pluck().get() ?? 0;

  const rowCount = ask('select count(*) from settlements');
  const distinctCount = ask('select count(distinct order_id) from settlements');
  const openCount = ask("select count(*) from orders where status <> 'settled' or id not in (select order_id from settlements)");
  // `lease_term` was read from the lease by the database, in the transaction that wrote the row: no clock and no member's word is involved.
  const staleCount = ask('select count(*) from settlements where term is not lease_term');
  // The ids are the order of the commits.
  const fallCount = ask('select count(*) from (select term, lag(term) over (order by id) as before from settlements) where term < before');
  const strangers = shares(database).filter(
    ({ term, memberId }) => !leaderships.some((leadership) => leadership.term === term && leadership.memberId === memberId),
  );
  const termCount = ask('select count(distinct term) from settlements');
  const pairCount = ask('select count(*) from (select distinct term, member_id from settlements)');
  const balance = ask('select balance_cents from account');
  const ordered = ask('select sum(amount_cents) from orders');
  const settled = ask('select sum(amount_cents) from settlements join orders on orders.id = order_id');

  return [
    {
      title: PROOFS.complete,
      isTrue: openCount === 0 && distinctCount === orderCount,
      found: `${count(distinctCount)} of ${count(orderCount)} orders in the ledger, ${count(openCount)} open`,
    },
    { title: PROOFS.once, isTrue: rowCount === distinctCount, found: `${count(rowCount)} settlements of ${count(distinctCount)} orders` },
    { title: PROOFS.fresh, isTrue: staleCount === 0, found: `${count(staleCount)} written after a later term was granted` },
    { title: PROOFS.inOrder, isTrue: fallCount === 0, found: `${count(fallCount)} steps back in ${count(rowCount)} rows` },
    {
      title: PROOFS.oneLeader,
      isTrue: pairCount === termCount && strangers.length === 0,
      found: `${termCount} terms, ${pairCount} pairs of term and member, ${strangers.length} without a leadership`,
    },
    {
      title: PROOFS.money,
      isTrue: balance === ordered && balance === settled,
      found: `account ${money(balance)}, orders ${money(ordered)}, ledger ${money(settled)}`,
    },
  ];
}

/** Who settled how much, term by term. */
export function shares(database: Database.Database): readonly TermShare[] {
  return database
    .prepare<[], TermShare>(
      `select term, member_id as memberId, count(*) as orderCount, sum(amount_cents) as amountCents
       from settlements join orders on orders.id = order_id group by term, member_id order by term, min(settlements.id)`,
    )
    .all();
}
