import type { CallScope } from './call-scope.js';
import type { PostgresConnection } from './postgres-connection.js';

/** How a connection is wanted. */
export interface AcquireOptions {
  /** Before all others that wait: heartbeats. */
  readonly isUrgent: boolean;
}

/** Where connections come from. */
export interface ConnectionSource {
  /** A connection for one statement. Settles within the call. */
  acquire(scope: CallScope, options: AcquireOptions): Promise<PostgresConnection>;
  /** A connection for long, in nobody's way. */
  dedicate(scope: CallScope): Promise<PostgresConnection>;
  /** The call got no answer in time: what lies idle is likely to be as dead. */
  distrust(scope: CallScope): void;
  /** Ends what is ours. Idempotent. */
  close(): Promise<void>;
}
