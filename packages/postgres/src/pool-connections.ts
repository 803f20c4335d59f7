import { systemClock, type Timer } from '@wb/core';
import type { CallScope } from './call-scope.js';
import type { ConnectionSource } from './connection-source.js';
import { PostgresConnection, type ServerLimits } from './postgres-connection.js';
import { readIdentity, type ServerIdentity } from './server-identity.js';
import type { UserPool, UserPoolClient, UserPoolFactory } from './user-pool.js';

/** What {@link PoolConnections} need. */
export interface PoolConnectionsOptions extends ServerLimits {
  readonly pool: UserPool | UserPoolFactory;
  readonly connectTimeoutMs: number;
  /** Whether there is a pooler behind the pool. */
  readonly pooler: boolean;
}

/** Connections out of somebody's pool: taken for one statement, and given back as they were. */
export class PoolConnections implements ConnectionSource {
  readonly #options: PoolConnectionsOptions;
  /** Connections that are out. */
  readonly #lent = new Set<PostgresConnection>();
  /** By connection, which outlives being lent. */
  readonly #identities = new WeakMap<UserPoolClient, ServerIdentity>();
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
    return await this.#lend(client, scope);
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
    if (typeof this.#options.pool !== 'function' || this.#made === null) return;
    const ended = this.#made.then((pool) => pool.end());
    ended.catch(() => undefined);
    // A pool that is still connecting to a peer that never answers does not end.
    let timer: Timer | undefined;
    const late = new Promise<void>((resolve) => {
      timer = systemClock.schedule(this.#options.connectTimeoutMs, resolve);
    });
    await Promise.race([ended, late]).finally(() => timer?.cancel());
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

  async #lend(client: UserPoolClient, scope: CallScope): Promise<PostgresConnection> {
    // A pool listens for errors only while a connection is in it: without this one, a broken connection would end the process.
    const onError = (): void => undefined;
    client.on('error', onError);
    const giveBack = (isBroken: boolean): void => {
      if (!isBroken) {
        client.release(false);
        client.removeListener('error', onError);
        return;
      }
      // One that is thrown away may still have something to say, such as that the server has ended its transaction. The pool listens again, and would take that for an error of its own, which ends the process of whoever
      // does not listen to the pool.
      const before = new Set(client.listeners('error'));
      client.release(true);
      for (const listener of client.listeners('error')) if (!before.has(listener)) client.removeListener('error', listener as () => void);
    };
    let identity: ServerIdentity;
    try {
      identity = this.#options.pooler ? null : await this.#identify(client, scope);
    } catch (error) {
      giveBack(true);
      throw error;
    }
    const end = (isBroken: boolean): void => {
      this.#lent.delete(connection);
      giveBack(isBroken);
    };
    const connection = new PostgresConnection({ client, server: 'the server of the pool', identity }, 'inline', this.#options, {
      release: () => end(false),
      destroy: () => end(true),
    });
    this.#lent.add(connection);
    return connection;
  }

  async #identify(client: UserPoolClient, scope: CallScope): Promise<ServerIdentity> {
    const known = this.#identities.get(client);
    if (known !== undefined) return known;
    const identity = await scope.wait(readIdentity(client), {
      limitMs: this.#options.connectTimeoutMs,
      for: 'the server of the pool said which it is',
    });
    this.#identities.set(client, identity);
    return identity;
  }
}
