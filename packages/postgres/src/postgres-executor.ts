/**
 * What fenced transactions are run with, as structural types: any version of a library that fits will do, and no types of theirs leak into ours.
 *
 * @module
 */
import type { KyselyTransaction } from '@wb/sql';

/** What a query returns. */
export interface PostgresRows {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly rows: any[];
  readonly rowCount: number | null;
}

/** A `pg.Client` or `pg.PoolClient`, as far as a fence needs it. */
export interface PostgresExecutor {
  query(text: string): Promise<unknown>;
}

/**
 * The transaction that the work of `fenced` is given: the driver's own client, in a transaction. Do not commit, roll back or release it, and do not keep it: it is
 * used for something else afterwards.
 */
export interface PostgresTransaction extends PostgresExecutor {
  query(text: string, values?: unknown[]): Promise<PostgresRows>;
  query(config: {
    readonly text: string;
    readonly values?: unknown[];
    readonly name?: string;
    readonly rowMode?: string;
  }): Promise<PostgresRows>;
}

/** A transaction of the user's: a client of `pg` inside of one, or a `Transaction` of kysely. */
export type PostgresFenceExecutor = PostgresExecutor | KyselyTransaction;
