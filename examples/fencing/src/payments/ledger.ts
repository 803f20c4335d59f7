import Database from 'better-sqlite3';

/** A payment that somebody asks for. */
export interface PaymentRequest {
  readonly groupId: string;
  readonly term: number;
  readonly idempotencyKey: string;
  readonly account: string;
  readonly amount: number;
}

/** A payment that was made. */
export interface Payment {
  readonly id: number;
  readonly account: string;
  readonly amount: number;
  /** The term in which it was made. */
  readonly term: number;
}

/** What became of a request. */
export type PaymentResult =
  | { readonly kind: 'paid'; readonly payment: Payment; readonly isRepeated: boolean }
  | { readonly kind: 'stale-term'; readonly highestTerm: number }
  | { readonly kind: 'key-reused' };

/** The service's own database: the highest term that it has seen of each group, and the payments. Both survive a restart, or a deposed leader could come back after one. */
export class Ledger {
  readonly #database: Database.Database;
  readonly #pay: Database.Transaction<(request: PaymentRequest) => PaymentResult>;

  constructor(filename: string) {
    this.#database = new Database(filename);
    this.#database.pragma('journal_mode = wal');
    this.#database.pragma('synchronous = full');
    this.#database.exec(`
      create table if not exists seen (group_id text primary key, term integer not null) strict;
      create table if not exists payment (
        id integer primary key, idempotency_key text not null unique, account text not null, amount integer not null, term integer not null
      ) strict;
    `);
    const seen = this.#database.prepare<[string], { term: number }>('select term from seen where group_id = ?');
    const see = this.#database.prepare(
      'insert into seen values (?, ?) on conflict (group_id) do update set term = excluded.term where term < excluded.term',
    );
    const paid = this.#database.prepare<[string], Payment>('select id, account, amount, term from payment where idempotency_key = ?');
    const pay = this.#database.prepare<[string, string, number, number], Payment>(
      'insert into payment (idempotency_key, account, amount, term) values (?, ?, ?, ?) returning id, account, amount, term',
    );
    // One transaction: between the look at the term and the payment nobody else comes in.
    this.#pay = this.#database.transaction(({ groupId, term, idempotencyKey, account, amount }: PaymentRequest): PaymentResult => {
      const highestTerm = seen.get(groupId)?.term ?? 0;
      if (term < highestTerm) return { kind: 'stale-term', highestTerm };
      see.run(groupId, term);
      const before = paid.get(idempotencyKey);
      if (before !== undefined) {
        if (before.account !== account || before.amount !== amount) return { kind: 'key-reused' };
        return { kind: 'paid', payment: before, isRepeated: true };
      }
      return { kind: 'paid', payment: pay.get(idempotencyKey, account, amount, term)!, isRepeated: false };
    });
  }

  pay(request: PaymentRequest): PaymentResult {
    return this.#pay.immediate(request);
  }

  /** In the order in which they were made. */
  payments(): readonly Payment[] {
    return this.#database.prepare<[], Payment>('select id, account, amount, term from payment order by id').all();
  }

  close(): void {
    this.#database.close();
  }
}
