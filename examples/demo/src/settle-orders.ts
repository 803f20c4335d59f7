import { FencedError, StoreError, type FenceLease } from '@wb/core';
import { tablesOf, type Order } from './orders-database.js';
import { targets } from './targets/index.js';
import type { Connection, FencingStore, Place, Sql } from './targets/target.js';

/**
 * - `'settled'`: they are in the ledger.
 * - `'refused'`: the lease is not of this term and session any more; nothing was written.
 * - `'busy'`: someone else has what is needed at this moment; nothing was written.
 */
export type SettleOutcome = 'settled' | 'refused' | 'busy';

/** How long a settlement may last, in ms: well below the TTL, so that a leader that freezes in the middle holds nobody up. */
const MAX_HOLD_MS = 500;

/** Settles a few orders in one transaction: the ledger, the orders, the balance. */
export type Settle = (orders: readonly Order[]) => Promise<SettleOutcome>;

/** Who settles, where, and by which lease. */
export interface Settler {
  readonly place: Place;
  readonly memberId: string;
  readonly lease: FenceLease;
  readonly store: FencingStore;
  readonly connection: Connection;
  /** `false` leaves the fence out, to show that the proof notices. */
  readonly isFenced: boolean;
}

/**
 * Makes the function that settles orders. The fence is the library's: the transaction commits only if the lease stands, and no later term is granted between that look and the commit.
 * So every settlement of a term is before every settlement of the next.
 */
export function orderSettler({ place, memberId, lease, store, connection, isFenced }: Settler): Settle {
  return async (orders) => {
    const work = async (sql: Sql): Promise<void> => await write(sql, place, memberId, lease, orders);
    try {
      await (isFenced ? store.fenced(lease, work, { maxHoldMs: MAX_HOLD_MS }) : connection.transaction(work));
      return 'settled';
    } catch (error) {
      if (error instanceof FencedError) return 'refused';
      if (targets[place.target].isBusy(error)) return 'busy';
      // Whether it was written must be certain: an order may not be settled twice.
      if (error instanceof StoreError && error.isRetryable && error.outcome === 'none') return 'busy';
      throw error;
    }
  };
}

async function write(sql: Sql, place: Place, memberId: string, { groupId, term }: FenceLease, due: readonly Order[]): Promise<void> {
  const { orders, settlements, account, lease } = tablesOf(place);
  const marks = due.map(() => '?').join(', ');
  // Not as a part of the insert: there MySQL would lock the lease's row.
  const [held] = await sql.all<{ term: number | string }>(`select term from ${lease} where group_id = ?`, [groupId]);
  const leaseTerm = held === undefined ? 'null' : String(Number(held.term));
  await sql.run(
    `insert into ${settlements} (order_id, member_id, term, lease_term) values ${due.map(() => `(?, ?, ?, ${leaseTerm})`).join(', ')}`,
    due.flatMap(({ orderId }) => [orderId, memberId, term]),
  );
  await sql.run(
    `update ${orders} set status = 'settled' where id in (${marks})`,
    due.map(({ orderId }) => orderId),
  );
  // Read, add, write: two leaders at once would lose one of their sums.
  const [before] = await sql.all<{ balance_cents: number | string }>(`select balance_cents from ${account} where id = 1`);
  const sum = due.reduce((total, { amountCents }) => total + amountCents, Number(before!.balance_cents));
  await sql.run(`update ${account} set balance_cents = ? where id = 1`, [sum]);
}
