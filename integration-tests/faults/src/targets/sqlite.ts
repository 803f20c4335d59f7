import { sqliteLeaseStore } from '@wb/sqlite';
import Database from 'better-sqlite3';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LedgerRow } from '../checker.js';
import { nowMs } from '../machine-time.js';
import type { FencedWrite, Ledger, TargetAddress, TargetClient, TargetFault, TargetServer } from '../target.js';

/** How long a write lock of others lasts at most, in ms: a commit's time. A longer one is a frozen process's. */
const LOCK_PATIENCE_MS = 100;

/** SQLite, as a member uses it. */
export const sqliteClient: TargetClient = {
  openStore: ({ url }: TargetAddress) => sqliteLeaseStore({ filename: url }),
  openLedger: ({ url }: TargetAddress): Ledger => {
    const database = new Database(url, { timeout: 0 });
    // The lease's table is there when the first leader is.
    let transaction: ReturnType<typeof fencedInsert> | null = null;
    return {
      write: async (write) => {
        for (;;) {
          try {
            transaction ??= fencedInsert(database);
            return transaction.immediate(write);
          } catch (error) {
            if (!isBusy(error)) throw error;
          }
          await sleep(1 + Math.random() * 4);
        }
      },
      close: () => {
        database.close();
        return Promise.resolve();
      },
    };
  },
};

function fencedInsert(database: Database.Database) {
  const isHeld = database
    .prepare<FencedWrite, number>('select count(*) from wb_lease where group_id = @group and term = @term and session_id = @session')
    .pluck();
  const insert = database.prepare<FencedWrite>('insert into ledger (id, group_id, term, session_id) values (@id, @group, @term, @session)');
  // The claim of a later term needs the same write lock: it waits until this has committed.
  return database.transaction((write: FencedWrite) => {
    if (isHeld.get(write) === 0) return 'refused' as const;
    insert.run(write);
    return 'written' as const;
  });
}

/** A new file in a folder of its own. */
export function startSqlite(): TargetServer {
  const directory = mkdtempSync(join(tmpdir(), 'wb-faults-'));
  const filename = join(directory, 'wb.db');
  const database = new Database(filename, { timeout: 5_000 });
  database.pragma('journal_mode = wal');
  database.exec(`create table ledger (
    position integer primary key autoincrement, id text not null, group_id text not null, term integer not null, session_id text not null)`);
  return {
    name: 'sqlite',
    addressFor: () => ({ target: 'sqlite', url: filename }),
    faults: (_member, random, ttlMs) => [lockHeld(filename, random() * ttlMs * 0.8), readerHeld(filename, random() * 2 * ttlMs)],
    isBlockedByFrozen: async () => {
      const probe = new Database(filename, { timeout: 0 });
      try {
        for (const endMs = nowMs() + LOCK_PATIENCE_MS; nowMs() < endMs; await sleep(2)) {
          if (tryExec(probe, 'begin immediate; rollback')) return false;
        }
        return true;
      } finally {
        probe.close();
      }
    },
    readLedger: () =>
      Promise.resolve(
        database.prepare<[], LedgerRow>('select id, group_id as "group", term, session_id as session from ledger order by position').all(),
      ),
    stop: () => {
      database.close();
      rmSync(directory, { recursive: true, force: true });
      return Promise.resolve();
    },
  };
}

/** Somebody else's transaction holds the write lock. */
function lockHeld(filename: string, forMs: number): TargetFault {
  return {
    kind: 'write lock held',
    strike: async (signal) => {
      const holder = new Database(filename, { timeout: 0 });
      try {
        while (!tryExec(holder, 'begin immediate')) await sleep(5, undefined, { signal });
        await sleep(forMs, undefined, { signal });
      } finally {
        holder.close();
      }
    },
  };
}

/** A long read keeps the log from being taken over into the database. */
function readerHeld(filename: string, forMs: number): TargetFault {
  return {
    kind: 'long read',
    strike: async (signal) => {
      const holder = new Database(filename, { timeout: 0 });
      try {
        while (!tryExec(holder, 'begin; select count(*) from wb_lease')) await sleep(5, undefined, { signal });
        await sleep(forMs, undefined, { signal });
      } finally {
        holder.close();
      }
    },
  };
}

/** `false`: somebody else has the lock. */
function tryExec(database: Database.Database, sql: string): boolean {
  try {
    database.exec(sql);
    return true;
  } catch (error) {
    if (isBusy(error)) return false;
    throw error;
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY');
}
