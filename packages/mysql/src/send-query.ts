import type { CallEnd } from './call-end.js';
import type { BorrowedConnection } from './connection-source.js';

/** Sends one packet and waits for its whole answer, or until the call must be over: then the connection is ended, because the answer may still come (T5). */
export function sendQuery(borrowed: BorrowedConnection, end: CallEnd, sql: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const stopListening = end.onOver(() => {
      borrowed.destroy();
      reject(end.error('unknown'));
    });
    if (end.isOver) return;
    borrowed.connection.query({ sql, rowsAsArray: true, typeCast: false }, (error, results) => {
      stopListening();
      if (error === null || error === undefined) resolve(results);
      else reject(error);
    });
  });
}
