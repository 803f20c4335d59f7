import { setTimeout } from 'node:timers/promises';
import { nowMs } from './machine-time.js';
import type { MemberProcess } from './member-process.js';
import type { Connection } from './targets/target.js';

/** How long a stopped process may take to stand still, in ms: the end of a system call at most. */
const STANDSTILL_MS = 20;
/** How long the write lock may be taken by others before it counts as the frozen member's, in ms. Theirs lasts for a commit. */
const LOCK_PATIENCE_MS = 100;
const MAX_ATTEMPTS = 20;

/** A member that was frozen. */
export interface Freeze {
  /** The instant just before the signal. */
  readonly atMs: number;
  /** How often it had to be tried. */
  readonly attemptCount: number;
}

/**
 * Freezes a member by SIGSTOP; outside of any transaction, unless `mayBeInside`.
 *
 * On a server a fenced transaction may be frozen at any point: the server ends it. A transaction without a fence that is frozen in the middle keeps what it has locked until somebody ends it by hand.
 *
 * SQLite has one write lock, a lock on the file, and it belongs to the process. A process that is frozen while it holds the lock keeps it, and *nobody* can write
 * until it is thawed or killed: no order, no heartbeat, no takeover. That is a limit of SQLite, and no
 * library on top can lift it. It is also safe: where nobody can write, nobody does harm. The leader spends a small part of its time in a transaction, so that the
 * signal seldom hits one; when it has, the driver thaws the member for a moment, and tries again.
 */
export async function freezeMember(
  member: MemberProcess,
  connection: Connection,
  mayBeInside: boolean,
  signal: AbortSignal,
): Promise<Freeze> {
  for (let attemptCount = 1; attemptCount <= MAX_ATTEMPTS; attemptCount++) {
    const atMs = nowMs();
    member.signal('SIGSTOP');
    await setTimeout(STANDSTILL_MS, undefined, { signal });
    if (mayBeInside || (await becomesWritable(connection, signal))) return { atMs, attemptCount };
    member.signal('SIGCONT');
    // Not in step with the member's pace.
    await setTimeout(5 + Math.random() * 10, undefined, { signal });
  }
  throw new Error(`${member.memberId} was inside a transaction ${MAX_ATTEMPTS} times in a row when it was frozen`);
}

/** Whether the write lock is free, or soon is. */
async function becomesWritable(connection: Connection, signal: AbortSignal): Promise<boolean> {
  const startedAtMs = nowMs();
  while (nowMs() - startedAtMs < LOCK_PATIENCE_MS) {
    if (await connection.isWritable()) return true;
    await setTimeout(2, undefined, { signal });
  }
  return false;
}
