/**
 * What fenced transactions are run with, as structural types: any version of a library that fits will do, and no types of theirs leak into ours.
 *
 * @module
 */
import type { KyselyTransaction } from '@wb/sql';

/** A connection of `mysql2/promise`, as far as a fence needs it. */
export interface MysqlPromiseExecutor {
  query(sql: string): Promise<unknown>;
  /** What a pool, whose statements go anywhere, does not have. */
  beginTransaction(): Promise<unknown>;
}

/** A connection of `mysql2` with callbacks, as far as a fence needs it. */
export interface MysqlCallbackExecutor {
  query(sql: string, callback: (error: unknown, result: unknown) => void): unknown;
  readonly config: unknown;
}

/**
 * The transaction that the work of `fenced` is given: the driver's own connection with promises, in a transaction. Do not commit, roll back or release it, and do not keep it: it is used for something
 * else afterwards.
 */
export interface MysqlTransaction {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  query(sql: string, values?: unknown): Promise<[any, any]>;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  execute(sql: string, values?: any): Promise<[any, any]>;
}

/** A transaction of the user's: a connection of `mysql2` or `mysql2/promise` inside of one, or a `Transaction` of kysely. */
export type MysqlFenceExecutor = MysqlPromiseExecutor | MysqlCallbackExecutor | KyselyTransaction;
