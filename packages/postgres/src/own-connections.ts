import { StoreError, type StoreErrorCode } from '@wb/core';
import type { CallScope } from './call-scope.js';
import type { AcquireOptions, ConnectionSource } from './connection-source.js';
import { openServer, type OwnClient } from './open-server.js';
import { PostgresConnection, type SendMode, type ServerLimits } from './postgres-connection.js';
import { toStoreError } from './postgres-errors.js';
import type { PostgresConnectionConfig } from './user-pool.js';

/** What {@link OwnConnections} need. */
export interface OwnConnectionsOptions extends ServerLimits {
  readonly servers: readonly PostgresConnectionConfig[];
  readonly maxConnections: number;
  readonly mode: SendMode;
  /** Whether statements of the user's run on them, too. */
  readonly isLent: boolean;
  readonly connectTimeoutMs: number;
}

/** Somebody who waits: is given a connection, or `null`, the right to open one. */
type Waiter = (open: OwnClient | null) => void;

/**
 * A small pool of the store's own (F11). Not `pg.Pool`: its connections are of one host, it queues heartbeats behind batches, and what it does with a connection
 * whose query has timed out depends on its version.
 */
export class OwnConnections implements ConnectionSource {
  readonly #options: OwnConnectionsOptions;
  readonly #idle: OwnClient[] = [];
  readonly #open = new Set<OwnClient>();
  /** Which of the servers each is of. */
  readonly #places = new WeakMap<OwnClient, number>();
  readonly #waiters: Waiter[] = [];
  /** Connections, and those that are being opened. */
  #count = 0;
  /** The server that took writes last. */
  #preferred = 0;
  #isClosed = false;

  constructor(options: OwnConnectionsOptions) {
    this.#options = options;
  }

  async acquire(scope: CallScope, { isUrgent }: AcquireOptions): Promise<PostgresConnection> {
    scope.assertGoingOn();
    let open = this.#idle.pop() ?? null;
    if (open === null) {
      if (this.#count < this.#options.maxConnections) this.#count += 1;
      else open = await this.#queue(scope, isUrgent);
    }
    if (open === null) {
      try {
        open = await this.#connect(scope, () => this.#giveUpPlace());
      } catch (error) {
        this.#giveUpPlace();
        throw error;
      }
    }
    const lent = open;
    return this.#lend(lent, () => this.#takeBack(lent));
  }

  async dedicate(scope: CallScope): Promise<PostgresConnection> {
    const open = await this.#connect(scope, () => undefined);
    // One that is given back is not kept: nobody knows what it still listens to.
    return this.#lend(open, open.cut);
  }

  distrust(): void {
    for (const { cut } of this.#idle.splice(0)) cut();
  }

  close(): Promise<void> {
    this.#isClosed = true;
    for (const { cut } of this.#open) cut();
    return Promise.resolve();
  }

  #lend(open: OwnClient, release: () => void): PostgresConnection {
    const { mode } = this.#options;
    return new PostgresConnection(open, mode, this.#options, { release, destroy: open.cut, onReadOnly: () => this.#avoid(open) });
  }

  /** Found out with a connection of it behind a pooler: elsewhere a server is asked when it lets us in. */
  #avoid(open: OwnClient): void {
    const at = this.#places.get(open)!;
    // Several calls may find it out: they move on once.
    if (this.#preferred % this.#options.servers.length === at) this.#preferred = at + 1;
    for (const { cut } of this.#idle.filter((idle) => this.#places.get(idle) === at)) cut();
  }

  #takeBack(open: OwnClient): void {
    // It may have broken while it was out.
    if (!this.#open.has(open)) return;
    const waiter = this.#waiters.shift();
    if (waiter) waiter(open);
    else this.#idle.push(open);
  }

  #giveUpPlace(): void {
    const waiter = this.#waiters.shift();
    if (waiter) waiter(null);
    else this.#count -= 1;
  }

  async #queue(scope: CallScope, isUrgent: boolean): Promise<OwnClient | null> {
    let waiter: Waiter = () => undefined;
    const turn = new Promise<OwnClient | null>((resolve) => {
      waiter = resolve;
      if (isUrgent) this.#waiters.unshift(waiter);
      else this.#waiters.push(waiter);
    });
    try {
      return await scope.wait(turn, {
        limitMs: this.#options.connectTimeoutMs + this.#options.statementTimeoutMs,
        for: 'a connection was free',
        onLate: (open) => (open === null ? this.#giveUpPlace() : this.#takeBack(open)),
      });
    } catch (error) {
      const at = this.#waiters.indexOf(waiter);
      if (at >= 0) this.#waiters.splice(at, 1);
      throw error;
    }
  }

  /** Tries the servers in turn, from the one that took writes last. */
  async #connect(scope: CallScope, onEnd: () => void): Promise<OwnClient> {
    const { servers } = this.#options;
    const faults: StoreError[] = [];
    for (let tried = 0; tried < servers.length; tried += 1) {
      const at = this.#preferred % servers.length;
      try {
        const open = await this.#openServer(servers[at]!, scope, onEnd);
        this.#places.set(open, at);
        return open;
      } catch (error) {
        // Also when the call has ended: the next one then begins with another server, and does not wait for this one again.
        if (this.#preferred % servers.length === at) this.#preferred = at + 1;
        faults.push(toStoreError(scope.operation, error, 'connect'));
        if (scope.fault) break;
      }
    }
    throw faults.length === 1 ? faults[0]! : noServerError(scope.operation, faults);
  }

  async #openServer(server: PostgresConnectionConfig, scope: CallScope, onEnd: () => void): Promise<OwnClient> {
    const open = await openServer(server, scope, {
      ...this.#options,
      onEnd: (ended) => {
        if (!this.#open.delete(ended)) return;
        const at = this.#idle.indexOf(ended);
        if (at >= 0) this.#idle.splice(at, 1);
        onEnd();
      },
    });
    this.#open.add(open);
    if (this.#isClosed) open.cut();
    return open;
  }
}

/** No server of several takes writes. */
function noServerError(operation: string, faults: readonly StoreError[]): StoreError {
  const codes = new Set(faults.map(({ code }) => code as StoreErrorCode));
  const [code = 'STORE_UNAVAILABLE'] = codes.size === 1 ? codes : [];
  const isRetryable = faults.some((fault) => fault.isRetryable);
  return new StoreError(
    code,
    `\`${operation}\` failed: none of the servers can be used: ${faults.map(({ message }) => message).join('; ')}`,
    {
      cause: new AggregateError(faults),
      isRetryable,
      outcome: 'none',
    },
  );
}
