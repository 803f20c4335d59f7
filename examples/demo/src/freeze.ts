import Database from 'better-sqlite3';
import { setTimeout } from 'node:timers/promises';
import { nowMs } from './machine-time.js';
import type { MemberProcess } from './member-process.js';

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
 * Freezes a member by SIGSTOP, outside of any transaction.
 *
 * SQLite has one write lock, a lock on the file, and it belongs to the process. A process that is frozen while it holds the lock keeps it, and *nobody* can write
 * until it is thawed or killed: no order, no heartbeat, no takeover. That is a limit of SQLite (a server would end the transaction of a silent client), and no
 * library on top can lift it. It is also safe: where nobody can write, nobody does harm. The leader spends a small part of its time in a transaction, so that the
 * signal seldom hits one; when it has, the driver thaws the member for a moment, and tries again.
 */
export async function freezeOutsideTransaction(member: MemberProcess, database: Database.Database, signal: AbortSignal): Promise<Freeze> {
  for (let attemptCount = 1; attemptCount <= MAX_ATTEMPTS; attemptCount++) {
    const atMs = nowMs();
    member.signal('SIGSTOP');
    await setTimeout(STANDSTILL_MS, undefined, { signal });
    if (await becomesWritable(database, signal)) return { atMs, attemptCount };
    member.signal('SIGCONT');
    // Not in step with the member's pace.
    await setTimeout(5 + Math.random() * 10, undefined, { signal });
  }
  throw new Error(`${member.memberId} was inside a transaction ${MAX_ATTEMPTS} times in a row when it was frozen`);
}

/** Whether the write lock is free, or soon is. */
async function becomesWritable(database: Database.Database, signal: AbortSignal): Promise<boolean> {
  const startedAtMs = nowMs();
  while (nowMs() - startedAtMs < LOCK_PATIENCE_MS) {
    try {
      database.exec('begin immediate; rollback');
      return true;
    } catch (error) {
      if (!(error instanceof Database.SqliteError) || !error.code.startsWith('SQLITE_BUSY')) throw error;
    }
    await setTimeout(2, undefined, { signal });
  }
  return false;
}
