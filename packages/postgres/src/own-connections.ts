import { StoreError, systemClock, type StoreErrorCode, type Timer } from '@wb/core';
import { CallScope } from './call-scope.js';
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

/** Somebody who waits for a connection. */
interface Waiter {
  readonly operation: string;
  readonly take: (open: OwnClient) => void;
  readonly fail: (error: unknown) => void;
}

/** An attempt to open a connection, for whoever waits first. */
interface Opening {
  readonly scope: CallScope;
  /** Whether the server has said anything yet. */
  isHeard: () => boolean;
  /** Set once its call has given up. */
  giveUp: Timer | null;
}

/**
 * How long an attempt to connect goes on for which no call waits any more, as a multiple of the time that the call had. Were every attempt ended with its call, a server to which many come back at once would be asked by all of them again
 * and again, and never get done with any.
 */
const LIFE = 4;

/**
 * A small pool of the store's own (F11). Not `pg.Pool`: its connections are of one host, it queues heartbeats behind batches, and what it does with a connection
 * whose query has timed out depends on its version.
 */
export class OwnConnections implements ConnectionSource {
  readonly #options: OwnConnectionsOptions;
  readonly #idle: OwnClient[] = [];
  /** Those that go from call to call. */
  readonly #pooled = new Set<OwnClient>();
  readonly #dedicated = new Set<OwnClient>();
  /** Which of the servers each is of. */
  readonly #places = new WeakMap<OwnClient, number>();
  readonly #waiters: Waiter[] = [];
  /** In the order of their beginning. */
  readonly #openings = new Set<Opening>();
  /** The server that took writes last. */
  #preferred = 0;
  #isClosed = false;

  constructor(options: OwnConnectionsOptions) {
    this.#options = options;
  }

  async acquire(scope: CallScope, { isUrgent }: AcquireOptions): Promise<PostgresConnection> {
    const open = await this.#take(scope, isUrgent);
    return this.#lend(open, () => this.#takeBack(open));
  }

  async dedicate(scope: CallScope): Promise<PostgresConnection> {
    const open = await this.#take(scope, false);
    // Its place is another's now.
    if (this.#pooled.delete(open)) this.#dedicated.add(open);
    this.#openMore();
    // One that is given back is not kept: nobody knows what it still listens to.
    return this.#lend(open, open.cut);
  }

  distrust(scope: CallScope): void {
    for (const { cut } of this.#idle.splice(0)) cut();
    this.#limitOpenings(scope, this.#surplus);
  }

  close(): Promise<void> {
    this.#isClosed = true;
    for (const opening of this.#openings) this.#abandon(opening);
    for (const { cut } of [...this.#pooled, ...this.#dedicated]) cut();
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
    if (!this.#pooled.has(open)) return;
    const waiter = this.#waiters.shift();
    if (waiter) waiter.take(open);
    else this.#idle.push(open);
  }

  /** The one that was used last, else the next that is free or open. */
  async #take(scope: CallScope, isUrgent: boolean): Promise<OwnClient> {
    scope.assertGoingOn();
    const idle = this.#idle.pop();
    if (idle) return idle;
    const { promise: turn, waiter } = newWaiter(scope.operation);
    if (isUrgent) this.#waiters.unshift(waiter);
    else this.#waiters.push(waiter);
    this.#openMore();
    try {
      return await scope.wait(turn, {
        limitMs: this.#options.connectTimeoutMs + this.#options.statementTimeoutMs,
        for: 'a connection was free',
        onLate: (open) => this.#takeBack(open),
      });
    } catch (error) {
      const at = this.#waiters.indexOf(waiter);
      if (at >= 0) this.#waiters.splice(at, 1);
      // Of several servers the next one is to be tried, also for those that wait on.
      if (scope.fault) this.#limitOpenings(scope, Math.max(this.#surplus, this.#options.servers.length > 1 ? 1 : 0));
      throw error;
    }
  }

  /** An attempt for each that waits, while there is room. */
  #openMore(): void {
    const { maxConnections } = this.#options;
    while (!this.#isClosed && this.#isMoreWanted && this.#pooled.size + this.#openings.size < maxConnections) this.#open();
  }

  /** A server that has begun to answer is slow; one that has said nothing to a whole call may never answer, and is not waited for by another one. */
  get #isMoreWanted(): boolean {
    const promising = [...this.#openings].filter(({ giveUp, isHeard }) => giveUp === null || isHeard());
    return promising.length < this.#waiters.length;
  }

  #open(): void {
    let { operation } = this.#waiters[0]!;
    // Errors name the call that they are given to.
    const scope = new CallScope(() => (operation = this.#waiters[0]?.operation ?? operation), undefined);
    const opening: Opening = { scope, isHeard: () => false, giveUp: null };
    this.#openings.add(opening);
    const end = (): void => {
      opening.giveUp?.cancel();
      this.#openings.delete(opening);
    };
    void this.#connect(opening).then(
      (open) => {
        end();
        this.#takeBack(open);
        this.#openMore();
      },
      (error: unknown) => {
        const isAbandoned = scope.fault !== null;
        end();
        if (!isAbandoned && this.#isMoreWanted) this.#waiters.shift()!.fail(error);
        this.#openMore();
      },
    );
  }

  /** How many more attempts there are than calls that wait. */
  get #surplus(): number {
    return Math.max(0, this.#openings.size - this.#waiters.length);
  }

  /** A call has given up: the oldest attempts go on for a while only, and those to one of several servers not at all. */
  #limitOpenings({ elapsedMs }: CallScope, count: number): void {
    for (const opening of [...this.#openings].slice(0, count)) {
      if (opening.giveUp !== null) continue;
      const remainingMs = this.#options.servers.length > 1 ? 0 : elapsedMs * LIFE - opening.scope.elapsedMs;
      if (remainingMs <= 0) this.#abandon(opening);
      else opening.giveUp = systemClock.schedule(remainingMs, () => this.#abandon(opening));
    }
  }

  #abandon({ scope }: Opening): void {
    scope.end(new StoreError('STORE_TIMEOUT', 'nobody waits for the connection any more', { isRetryable: true, outcome: 'none' }));
  }

  /** Tries the servers in turn, from the one that took writes last. */
  async #connect(opening: Opening): Promise<OwnClient> {
    const { scope } = opening;
    const { servers } = this.#options;
    const faults: StoreError[] = [];
    for (let tried = 0; tried < servers.length; tried += 1) {
      const at = this.#preferred % servers.length;
      try {
        const open = await this.#openServer(servers[at]!, opening);
        this.#places.set(open, at);
        return open;
      } catch (error) {
        // Also when it was abandoned: the next call then begins with another server, and does not wait for this one again.
        if (this.#preferred % servers.length === at) this.#preferred = at + 1;
        faults.push(toStoreError(scope.operation, error, 'connect'));
        if (scope.fault) break;
      }
    }
    throw faults.length === 1 ? faults[0]! : noServerError(scope.operation, faults);
  }

  async #openServer(server: PostgresConnectionConfig, opening: Opening): Promise<OwnClient> {
    const open = await openServer(server, opening.scope, {
      ...this.#options,
      onSocket: (isHeard) => (opening.isHeard = isHeard),
      onEnd: (ended) => this.#forget(ended),
    });
    this.#pooled.add(open);
    if (this.#isClosed) open.cut();
    return open;
  }

  #forget(ended: OwnClient): void {
    this.#dedicated.delete(ended);
    this.#pooled.delete(ended);
    const at = this.#idle.indexOf(ended);
    if (at >= 0) this.#idle.splice(at, 1);
    this.#openMore();
  }
}

function newWaiter(operation: string): { readonly promise: Promise<OwnClient>; readonly waiter: Waiter } {
  let waiter!: Waiter;
  const promise = new Promise<OwnClient>((take, fail) => {
    waiter = { operation, take, fail };
  });
  return { promise, waiter };
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
