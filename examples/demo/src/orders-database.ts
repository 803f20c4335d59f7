import { targets } from './targets/index.js';
import type { Place, Sql } from './targets/target.js';

/** An order that waits to be settled. */
export interface Order {
  readonly orderId: number;
  readonly amountCents: number;
}

/** The demo's tables, and the store's lease beside them. */
export interface Tables {
  readonly orders: string;
  readonly settlements: string;
  readonly account: string;
  readonly lease: string;
}

/** How many rows one statement writes. */
const BATCH = 500;

export function tablesOf({ namespace }: Pick<Place, 'namespace'>): Tables {
  return {
    orders: `${namespace}orders`,
    settlements: `${namespace}settlements`,
    account: `${namespace}account`,
    lease: `${namespace}lease`,
  };
}

/**
 * Makes the demo's own tables. Nothing in them forbids a double settlement or one of a stale term: if leadership did not prevent them they would be in the ledger
 * for all to see. A proof that cannot fail proves nothing.
 */
export async function createOrders(sql: Sql, place: Pick<Place, 'namespace' | 'target'>, orderCount: number): Promise<void> {
  const { orders, settlements, account } = tablesOf(place);
  await sql.run(
    `create table ${orders} (id integer primary key, amount_cents integer not null, status varchar(10) not null default 'open')`,
  );
  // Append-only. The term is what the member believes in; the lease's term was read in the same transaction: null if there was no lease at all.
  await sql.run(
    `create table ${settlements} (id ${targets[place.target].identity}, order_id integer not null, member_id varchar(255) not null, term integer not null, lease_term integer)`,
  );
  await sql.run(`create table ${account} (id integer primary key, balance_cents bigint not null)`);
  await sql.run(`insert into ${account} (id, balance_cents) values (1, 0)`);
  for (let first = 1; first <= orderCount; first += BATCH) {
    const ids = Array.from({ length: Math.min(BATCH, orderCount - first + 1) }, (_, at) => first + at);
    // Uneven amounts: two wrong settlements are unlikely to add up to a right balance.
    const values = ids.flatMap((orderId) => [orderId, 100 + ((orderId * 7919) % 9973)]);
    await sql.run(`insert into ${orders} (id, amount_cents) values ${ids.map(() => '(?, ?)').join(', ')}`, values);
  }
}

/** Removes the demo's tables, and the store's. */
export async function dropTables(place: Place): Promise<void> {
  const connection = await targets[place.target].connect(place);
  try {
    const names = ['orders', 'settlements', 'account', 'session', 'lease', 'term', 'contender', 'migration'];
    for (const name of names) await connection.run(`drop table if exists ${place.namespace}${name}`);
  } finally {
    await connection[Symbol.asyncDispose]();
  }
}

/** The orders that are not settled yet, as a list to work through. */
export async function openOrders(sql: Sql, place: Pick<Place, 'namespace'>): Promise<readonly Order[]> {
  const { orders } = tablesOf(place);
  const rows = await sql.all<{ id: number; amount_cents: number }>(
    `select id, amount_cents from ${orders} where status = 'open' order by id`,
  );
  return rows.map((row) => ({ orderId: row.id, amountCents: row.amount_cents }));
}

/** How many settlements the ledger has. */
export async function countSettlements(sql: Sql, place: Pick<Place, 'namespace'>): Promise<number> {
  const [row] = await sql.all<{ n: number | string }>(`select count(*) as n from ${tablesOf(place).settlements}`);
  return Number(row!.n);
}
