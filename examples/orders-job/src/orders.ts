import Database from 'better-sqlite3';
import type { SqliteTransaction } from '@wb/sqlite';

/** One order that was sent: each occurrence of the job sends one. */
export interface SentOrder {
  readonly scheduledAtMs: number;
  readonly occurrence: number;
  readonly member: string;
  readonly term: number;
}

/** The application's own table. Its key is the occurrence's: so one that is begun again after a crash cannot send its order twice. */
export function createOrders(filename: string): void {
  const database = new Database(filename);
  database.pragma('journal_mode = wal');
  database.exec(
    'create table if not exists sent_order (scheduled_at_ms integer primary key, occurrence integer not null, member text not null, term integer not null)',
  );
  database.close();
}

/** Inside a fenced transaction: it is there only if its leader still led when it was committed. */
export function sendOrder(transaction: SqliteTransaction, { scheduledAtMs, occurrence, member, term }: SentOrder): void {
  transaction
    .prepare('insert or ignore into sent_order (scheduled_at_ms, occurrence, member, term) values (?, ?, ?, ?)')
    .run(scheduledAtMs, occurrence, member, term);
}

/** All that were sent, in the order of their times. */
export function sentOrders(filename: string): SentOrder[] {
  const database = new Database(filename, { readonly: true });
  try {
    return database
      .prepare<[], SentOrder>('select scheduled_at_ms as scheduledAtMs, occurrence, member, term from sent_order order by scheduled_at_ms')
      .all();
  } finally {
    database.close();
  }
}
