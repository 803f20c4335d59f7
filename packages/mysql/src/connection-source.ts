import type { CallEnd } from './call-end.js';
import type { DriverConnection } from './mysql-driver.js';

/** A connection, for the time of a call. */
export interface BorrowedConnection {
  readonly connection: DriverConnection;
  /** Whether it takes several statements in one packet. */
  readonly takesScripts: boolean;
  /** Back to where it came from: nothing is open on it. */
  giveBack(): void;
  /** Ends it: what is under way on it is nobody's any more. Idempotent. */
  destroy(): void;
}

/** Where connections come from. */
export interface ConnectionSource {
  /** Settles when the call ends at the latest. `isUrgent`: before those that wait already. */
  borrow(end: CallEnd, isUrgent: boolean): Promise<BorrowedConnection>;
  /** Ends what is ours. */
  close(): void;
}

/** The driver's own way only says goodbye, and a peer that does not answer keeps the socket for minutes. */
export function destroyConnection(connection: DriverConnection): void {
  connection.destroy();
  connection.stream?.destroy?.();
}
