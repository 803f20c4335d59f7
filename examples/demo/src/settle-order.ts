import Database from 'better-sqlite3';
import type { Order } from './orders-database.js';

/** Who settles, in which term of which group. */
export interface Fence {
  readonly groupId: string;
  readonly term: number;
  readonly sessionId: string;
}

/**
 * - `'settled'`: it is in the ledger.
 * - `'refused'`: the lease is not of this term and session any more; nothing was written.
 * - `'busy'`: someone else writes at this moment; nothing was written.
 */
export type SettleOutcome = 'settled' | 'refused' | 'busy';

/**
 * Makes the function that settles one order in one transaction: the fence, the ledger, the order, the balance.
 *
 * The fence is the lease's own row, read inside the transaction. `begin immediate` takes the write lock first, and a claim by another member needs that same
 * lock: no later term can be granted between our look at the lease and our commit. So every settlement of a term is before every settlement of the next.
 *
 * @param isFenced `false` leaves the look at the lease out, to show that the proof notices.
 */
export function orderSettler(
  database: Database.Database,
  memberId: string,
  fence: Fence,
  isFenced: boolean,
): (order: Order) => SettleOutcome {
  const isHeld = database
    .prepare<Fence, number>('select count(*) from wb_lease where group_id = @groupId and term = @term and session_id = @sessionId')
    .pluck();
  const insert = database.prepare<Fence & { orderId: number; memberId: string }>(`
    insert into settlements (order_id, member_id, term, lease_term)
    values (@orderId, @memberId, @term, (select term from wb_lease where group_id = @groupId))`);
  const settle = database.prepare<[number]>("update orders set status = 'settled' where id = ?");
  const balance = database.prepare<[], number>('select balance_cents from account where id = 1').pluck();
  const setBalance = database.prepare<[number]>('update account set balance_cents = ? where id = 1');

  const transaction = database.transaction(({ orderId, amountCents }: Order): SettleOutcome => {
    if (isFenced && isHeld.get(fence) === 0) return 'refused';
    insert.run({ ...fence, orderId, memberId });
    settle.run(orderId);
    // Read, add, write: two leaders at once would lose one of their sums.
    setBalance.run((balance.get() ?? 0) + amountCents);
    return 'settled';
  });

  return (order) => {
    try {
      return transaction.immediate(order);
    } catch (error) {
      if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY')) return 'busy';
      throw error;
    }
  };
}
