import { createConnection } from 'mysql2';
import type { CallEnd } from './call-end.js';
import { destroyConnection, type BorrowedConnection, type ConnectionSource } from './connection-source.js';
import type { DriverConnection } from './mysql-driver.js';

/**
 * How long a statement waits for a row at most, in whole seconds, which is the server's unit: a statement whose client gave up may still wait. Nothing depends on it but how
 * long such a one stays.
 */
const LOCK_WAIT_SECONDS = 2;
/**
 * On Galera a transaction begins when its server has caught up with what the others had committed by then: a connection may lead to another server than the last, and "unknown" and "not held" are for good.
 * MariaDB knows the variable without a cluster, too, and MySQL skips it.
 */
const CATCH_UP = '/*M! , session wsrep_sync_wait = @@global.wsrep_sync_wait | 1 */';

interface Waiter {
  readonly take: (connection: DriverConnection) => void;
  readonly open: () => void;
}

/**
 * The store's own connections. Not the driver's pool, for the sake of deadlines: a connection that is being made is ended with the call that it is made for, so that a database
 * that accepts and never answers costs no call more than its own time, and leaves nothing behind (T5, F11).
 */
export class OwnConnections implements ConnectionSource {
  readonly #driverOptions: Readonly<Record<string, unknown>>;
  readonly #limit: number;
  readonly #idle: DriverConnection[] = [];
  readonly #waiters: Waiter[] = [];
  /** Those that are there, and those that are being made. */
  #count = 0;
  #isClosed = false;

  constructor(driverOptions: Readonly<Record<string, unknown>>, limit: number) {
    this.#driverOptions = driverOptions;
    this.#limit = limit;
  }

  borrow(end: CallEnd, isUrgent: boolean): Promise<BorrowedConnection> {
    return new Promise((resolve, reject) => {
      let abandon = (): void => undefined;
      const stopListening = end.onOver(() => abandon());
      const settle = (act: () => void): void => {
        stopListening();
        act();
      };
      const waiter: Waiter = {
        take: (connection) => settle(() => resolve(this.#lend(connection))),
        open: () => {
          abandon = this.#open(
            (connection) => settle(() => resolve(this.#lend(connection))),
            (error) => settle(() => reject(error)),
            () => settle(() => reject(end.error('none'))),
          );
        },
      };
      abandon = () => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        settle(() => reject(end.error('none')));
      };
      if (isUrgent) this.#waiters.unshift(waiter);
      else this.#waiters.push(waiter);
      if (end.isOver) abandon();
      else this.#serve();
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#dropIdle();
  }

  /** The one that was used last first: the others may be let go by the server. */
  #serve(): void {
    while (this.#waiters.length > 0) {
      const connection = this.#idle.pop();
      if (connection === undefined && this.#count >= this.#limit) return;
      const waiter = this.#waiters.shift()!;
      if (connection === undefined) waiter.open();
      else waiter.take(connection);
    }
  }

  /** Returns what ends the attempt. */
  #open(onReady: (connection: DriverConnection) => void, onError: (error: unknown) => void, onAbandoned: () => void): () => void {
    this.#count += 1;
    let isSettled = false;
    let connection: DriverConnection;
    try {
      connection = createConnection({ ...this.#driverOptions });
    } catch (error) {
      // An option that the driver does not take.
      this.#count -= 1;
      onError(error);
      return () => undefined;
    }
    const fail = (act: () => void): void => {
      if (isSettled) return;
      isSettled = true;
      this.#drop(connection);
      act();
    };
    connection.on('error', (error) => {
      fail(() => onError(error));
      this.#forget(connection);
    });
    connection.query(
      { sql: `set session innodb_lock_wait_timeout = ${LOCK_WAIT_SECONDS} ${CATCH_UP}`, rowsAsArray: true, typeCast: false },
      (error) => {
        if (error !== null && error !== undefined) return fail(() => onError(error));
        if (isSettled) return;
        isSettled = true;
        onReady(connection);
      },
    );
    return () => fail(onAbandoned);
  }

  #lend(connection: DriverConnection): BorrowedConnection {
    let isLent = true;
    const once = (act: () => void): void => {
      if (!isLent) return;
      isLent = false;
      act();
      this.#serve();
    };
    return {
      connection,
      takesScripts: true,
      giveBack: () =>
        once(() => {
          if (this.#isClosed) this.#drop(connection);
          else this.#idle.push(connection);
        }),
      destroy: () =>
        once(() => {
          this.#drop(connection);
          // What one of them does not get through, the others will hardly: they are of the same age, and lead to the same place.
          this.#dropIdle();
        }),
    };
  }

  #drop(connection: DriverConnection): void {
    destroyConnection(connection);
    this.#count -= 1;
    queueMicrotask(() => this.#serve());
  }

  #dropIdle(): void {
    for (const connection of this.#idle.splice(0)) this.#drop(connection);
  }

  /** An idle connection broke. One that is lent is dropped by who has it. */
  #forget(connection: DriverConnection): void {
    const at = this.#idle.indexOf(connection);
    if (at < 0) return;
    this.#idle.splice(at, 1);
    this.#drop(connection);
  }
}
