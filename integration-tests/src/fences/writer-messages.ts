/** What a writer is told: `node fence-writer.js '<WriterStart as JSON>'`. */
export interface WriterStart {
  readonly kind: 'postgres' | 'mysql' | 'sqlite';
  readonly url: string;
  readonly namespace: string;
  /** The user's table, as SQL. */
  readonly table: string;
  readonly lease: { readonly groupId: string; readonly term: number; readonly sessionId: string };
  readonly point: FreezePoint;
}

/**
 * Where it freezes itself.
 *
 * - `'looked'`: inside of `fenced`, after the first look and after its work has written.
 * - `'locked'`: inside of `fenced`, after the lease was locked and before the commit is sent: only where these are two messages.
 * - `'fenced'`: in a transaction of its own, after `fence` and before the commit.
 */
export type FreezePoint = 'looked' | 'locked' | 'fenced';

/** What it says. */
export type WriterMessage =
  | { readonly kind: 'freezes' }
  /** How it ended: committed, or by an error with this code (`null`: of the driver, without one). */
  | { readonly kind: 'ended'; readonly isCommitted: boolean; readonly code: string | null; readonly message: string };
