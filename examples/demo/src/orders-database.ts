import Database from 'better-sqlite3';

/** An order that waits to be settled. */
export interface Order {
  readonly orderId: number;
  readonly amountCents: number;
}

/** Opens the file that everyone shares. */
export function openOrdersDatabase(filename: string): Database.Database {
  // Without a timeout: the driver would wait for a lock with the event loop blocked, heartbeats and all. Who finds the file busy tries again later.
  const database = new Database(filename, { timeout: 0 });
  database.pragma('journal_mode = WAL');
  // A settlement survives the end of every process, not a power cut: then it was not made, for the ledger and for the order alike.
  database.pragma('synchronous = NORMAL');
  return database;
}

/**
 * The demo's own tables. Nothing here forbids a double settlement or one of a stale term: if leadership did not prevent them they would be in the ledger
 * for all to see. A proof that cannot fail proves nothing.
 */
export function createOrders(database: Database.Database, orderCount: number): void {
  database.exec(`
    create table orders (
      id integer primary key,
      amount_cents integer not null,
      status text not null default 'open'
    );

    -- Append-only, and written under SQLite's one write lock: the ids are the order of the commits.
    create table settlements (
      id integer primary key,
      order_id integer not null,
      member_id text not null,
      -- The term that the member believes in, and the term that the lease was in when this row was written, put there by the database;
      -- null if there was no lease at all.
      term integer not null,
      lease_term integer,
      settled_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ'))
    );

    create table account (id integer primary key, balance_cents integer not null);
    insert into account (id, balance_cents) values (1, 0);
  `);
  const insert = database.prepare<[number, number]>('insert into orders (id, amount_cents) values (?, ?)');
  database.transaction(() => {
    // Uneven amounts: two wrong settlements are unlikely to add up to a right balance.
    for (let orderId = 1; orderId <= orderCount; orderId++) insert.run(orderId, 100 + ((orderId * 7919) % 9973));
  })();
}

/** The orders that are not settled yet, as a list to work through. */
export function openOrders(database: Database.Database): readonly Order[] {
  return database
    .prepare<[], Order>("select id as orderId, amount_cents as amountCents from orders where status = 'open' order by id")
    .all();
}

/** How many settlements the ledger has. Reads one row, so that the driver can ask often. */
export function countSettlements(database: Database.Database): number {
  return database.prepare<[], number>('select coalesce(max(id), 0) from settlements').pluck().get() ?? 0;
}
