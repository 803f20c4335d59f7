import type { CallScope } from './call-scope.js';
import type { ConnectionSource } from './connection-source.js';
import { PostgresConnection, type ServerLimits } from './postgres-connection.js';
import type { UserPool, UserPoolClient, UserPoolFactory } from './user-pool.js';

/** What {@link PoolConnections} need. */
export interface PoolConnectionsOptions extends ServerLimits {
  readonly pool: UserPool | UserPoolFactory;
  readonly connectTimeoutMs: number;
}

/** Connections out of somebody's pool: taken for one statement, and given back as they were. */
export class PoolConnections implements ConnectionSource {
  readonly #options: PoolConnectionsOptions;
  /** Connections that are out. */
  readonly #lent = new Set<PostgresConnection>();
  #made: Promise<UserPool> | null = null;

  constructor(options: PoolConnectionsOptions) {
    this.#options = options;
  }

  async acquire(scope: CallScope): Promise<PostgresConnection> {
    scope.assertGoingOn();
    const taken = this.#pool().then((pool) => pool.connect());
    const client = await scope.wait(taken, {
      limitMs: this.#options.connectTimeoutMs,
      for: 'the pool gave a connection',
      onLate: (late) => late.release(),
    });
    return this.#lend(client);
  }

  async dedicate(scope: CallScope): Promise<PostgresConnection> {
    return await this.acquire(scope);
  }

  distrust(): void {
    // The pool is not ours.
  }

  async close(): Promise<void> {
    for (const connection of this.#lent) connection.destroy();
    // Only what was made for the store.
    if (typeof this.#options.pool === 'function') await (await this.#made)?.end();
  }

  #pool(): Promise<UserPool> {
    const { pool } = this.#options;
    if (typeof pool !== 'function') return Promise.resolve(pool);
    this.#made ??= Promise.resolve()
      .then(pool)
      .catch((error: unknown) => {
        // The next call tries again.
        this.#made = null;
        throw error;
      });
    return this.#made;
  }

  #lend(client: UserPoolClient): PostgresConnection {
    // A pool listens for errors only while a connection is in it: without this one, a broken connection would end the process.
    const onError = (): void => undefined;
    client.on('error', onError);
    const giveBack = (isBroken: boolean): void => {
      this.#lent.delete(connection);
      client.release(isBroken);
      // One that is destroyed may still have something to say.
      if (!isBroken) client.removeListener('error', onError);
    };
    const connection = new PostgresConnection(client, 'the server of the pool', 'inline', this.#options, {
      release: () => giveBack(false),
      destroy: () => giveBack(true),
    });
    this.#lent.add(connection);
    return connection;
  }
}
