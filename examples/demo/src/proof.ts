import { count, money, type Check } from './check.js';
import { tablesOf } from './orders-database.js';
import type { Leadership } from './takeover-log.js';
import type { Place, Sql } from './targets/target.js';

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
export async function proveLedger(
  sql: Sql,
  place: Pick<Place, 'namespace'>,
  orderCount: number,
  leaderships: readonly Pick<Leadership, 'memberId' | 'term'>[],
): Promise<readonly Check[]> {
  const { orders, settlements, account } = tablesOf(place);
  const ask = async (query: string): Promise<number> => {
    const [row] = await sql.all<{ n: number | string | null }>(query);
    return Number(row?.n ?? 0);
  };

  const rowCount = await ask(`select count(*) as n from ${settlements}`);
  const distinctCount = await ask(`select count(distinct order_id) as n from ${settlements}`);
  const openCount = await ask(
    `select count(*) as n from ${orders} where status <> 'settled' or id not in (select order_id from ${settlements})`,
  );
  // `lease_term` was read from the lease in the transaction that wrote the row: no clock and no member's belief is involved.
  const staleCount = await ask(`select count(*) as n from ${settlements} where lease_term is null or lease_term <> term`);
  // The ids are the order of the writing.
  const fallCount = await ask(
    `select count(*) as n from (select term, lag(term) over (order by id) as earlier from ${settlements}) steps where term < earlier`,
  );
  const strangers = (await shares(sql, place)).filter(
    ({ term, memberId }) => !leaderships.some((leadership) => leadership.term === term && leadership.memberId === memberId),
  );
  const termCount = await ask(`select count(distinct term) as n from ${settlements}`);
  const pairCount = await ask(`select count(*) as n from (select distinct term, member_id from ${settlements}) pairs`);
  const balance = await ask(`select balance_cents as n from ${account}`);
  const ordered = await ask(`select sum(amount_cents) as n from ${orders}`);
  const settled = await ask(`select sum(o.amount_cents) as n from ${settlements} s join ${orders} o on o.id = s.order_id`);

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
export async function shares(sql: Sql, place: Pick<Place, 'namespace'>): Promise<readonly TermShare[]> {
  const { orders, settlements } = tablesOf(place);
  const rows = await sql.all<Record<'term' | 'member_id' | 'n' | 'cents', string | number>>(
    `select s.term, s.member_id, count(*) as n, sum(o.amount_cents) as cents
     from ${settlements} s join ${orders} o on o.id = s.order_id group by s.term, s.member_id order by s.term, min(s.id)`,
  );
  return rows.map((row) => ({
    term: Number(row.term),
    memberId: String(row.member_id),
    orderCount: Number(row.n),
    amountCents: Number(row.cents),
  }));
}
