/**
 * What this package needs of `mysql2`, as structural types: any version of the driver that fits will do, and its types do not leak into ours.
 *
 * @module
 */

/** How one query is made: rows of raw bytes, so that no setting of the connection changes what comes back. */
export interface DriverQuery {
  readonly sql: string;
  readonly rowsAsArray: true;
  readonly typeCast: false;
}

/** A connection with callbacks. */
export interface DriverConnection {
  query(query: DriverQuery, callback: (error: unknown, results: unknown) => void): unknown;
  destroy(): void;
  /** The same connection with promises. */
  promise?(): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  readonly config?: { readonly multipleStatements?: unknown };
  readonly stream?: { destroy?(): unknown };
}

/** A connection of a pool. */
export interface DriverPoolConnection extends DriverConnection {
  release(): void;
}

/** A pool with callbacks: what `createPool` of `mysql2` returns. */
export interface CallbackPool {
  getConnection(callback: (error: unknown, connection: unknown) => void): void;
}

/** A pool with promises: what `createPool` of `mysql2/promise` returns. It wraps the other kind. */
export interface PromisePool {
  readonly pool: unknown;
  getConnection(): Promise<unknown>;
}

/** A pool of yours, of `mysql2` or of `mysql2/promise`. */
export type UserPool = CallbackPool | PromisePool;
