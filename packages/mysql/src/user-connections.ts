import type { CallEnd } from './call-end.js';
import { destroyConnection, type BorrowedConnection, type ConnectionSource } from './connection-source.js';
import type { DriverPoolConnection, UserPool } from './mysql-driver.js';

type GetConnection = (callback: (error: unknown, connection: DriverPoolConnection) => void) => void;

/** Connections of a pool of the user's. */
export class UserConnections implements ConnectionSource {
  readonly #getConnection: GetConnection;

  constructor(pool: UserPool) {
    // A pool with promises wraps one with callbacks.
    const inner: unknown = Reflect.get(pool, 'pool');
    const core = typeof inner === 'object' && inner !== null && 'getConnection' in inner ? inner : pool;
    this.#getConnection = (callback) => (core as { readonly getConnection: GetConnection }).getConnection(callback);
  }

  borrow(end: CallEnd): Promise<BorrowedConnection> {
    return new Promise((resolve, reject) => {
      let isSettled = false;
      const stopListening = end.onOver(() => {
        isSettled = true;
        reject(end.error('none'));
      });
      if (isSettled) return;
      this.#getConnection((error, connection) => {
        stopListening();
        if (error !== null && error !== undefined) return reject(error);
        // Too late: it goes back unused.
        if (isSettled) return connection.release();
        isSettled = true;
        resolve(lend(connection));
      });
    });
  }

  close(): void {
    // The pool is not ours.
  }
}

/** The driver ends the process on an error that nobody listens to; whoever waits hears of it by the callback. */
const listened = new WeakSet<DriverPoolConnection>();

function lend(connection: DriverPoolConnection): BorrowedConnection {
  if (!listened.has(connection)) {
    listened.add(connection);
    connection.on('error', () => undefined);
  }
  let isLent = true;
  const once = (act: () => void): void => {
    if (!isLent) return;
    isLent = false;
    act();
  };
  return {
    connection,
    takesScripts: connection.config?.multipleStatements === true,
    giveBack: () => once(() => connection.release()),
    destroy: () => once(() => destroyConnection(connection)),
  };
}
