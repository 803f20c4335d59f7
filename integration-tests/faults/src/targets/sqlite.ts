import { sqliteLeaseStore } from '@wb/sqlite';
import { beforeExit } from '@wb/test-servers';
import Database from 'better-sqlite3';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nowMs } from '../machine-time.js';
import { findLibfaketime, setOffset } from '../faketime.js';
import type { Entry, FaultTarget, JobRunRow, LedgerRow, MemberDatabase, ServerFault, TargetServer } from '../target.js';

/** How long a write lock of others lasts at most, in ms: a commit's time. A longer one is a frozen process's. */
const LOCK_PATIENCE_MS = 100;

/** SQLite, one file. */
export const sqlite: FaultTarget = {
  name: 'sqlite',
  open: openSqlite,
  start: () => Promise.resolve(startSqlite()),
};

function openSqlite(filename: string): MemberDatabase {
  const store = sqliteLeaseStore({ filename });
  return {
    store,
    hasOneLock: true,
    write: async (entry, { lease, maxHoldMs, pauseMs: [before, after], onInside }) => {
      const work = async (database: Pick<Database.Database, 'prepare'>): Promise<number> => {
        onInside?.();
        if (before > 0) await sleep(before);
        database.prepare('insert into ledger (id, group_id, term, session_id) values (@id, @group, @term, @session)').run(entry);
        if (after > 0) await sleep(after);
        return database.prepare<Entry, number>('select count(*) from ledger where group_id = @group and term < @term').pluck().get(entry)!;
      };
      return await (lease === null
        ? unfenced(filename, work)
        : store.fenced(lease, (transaction) => work(transaction as Database.Database), { maxHoldMs }));
    },
    writeRun: (transaction, run, when) => {
      (transaction as Database.Database)
        .prepare(
          `insert into job_run (job, occurrence, scheduled_at_ms, term) select @job, @occurrence, @scheduledAtMs, @term
          ${when === 'always' ? '' : 'where not exists (select 1 from job_run where job = @job and occurrence = @occurrence)'}`,
        )
        .run(run);
    },
  };
}

async function unfenced(filename: string, work: (database: Database.Database) => Promise<number>): Promise<number> {
  const database = new Database(filename, { timeout: 1_000 });
  try {
    return await work(database);
  } finally {
    database.close();
  }
}

/** A new file in a folder of its own: a small file system, if this process may mount one, so that the disk can be full. */
function startSqlite(): TargetServer {
  const directory = mkdtempSync(join(tmpdir(), 'wb-faults-'));
  const disk = join(directory, 'disk');
  mkdirSync(disk);
  const isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', disk]).status === 0;
  const filename = join(disk, 'wb.db');
  const clockFile = join(directory, 'clock');
  setOffset(clockFile, '+0');
  const database = new Database(filename, { timeout: 5_000 });
  const stop = (): Promise<void> => {
    database.close();
    if (isMounted) spawnSync('umount', ['--lazy', disk]);
    rmSync(directory, { recursive: true, force: true });
    isStopped();
    return Promise.resolve();
  };
  const isStopped = beforeExit(stop);
  database.pragma('journal_mode = wal');
  database.exec(`create table ledger (
    position integer primary key autoincrement, id text not null, group_id text not null, term integer not null, session_id text not null);
    create index ledger_terms on ledger (group_id, term);
    create table job_run (job text not null, occurrence integer not null, scheduled_at_ms integer not null, term integer not null);
    create index job_run_occurrence on job_run (job, occurrence)`);
  return {
    title: `SQLite ${database.prepare<[], string>('select sqlite_version()').pluck().get()}`,
    endpoints: () => [],
    url: () => filename,
    faults: [
      held('write lock held', 'begin immediate', filename),
      held('long read', 'begin; select count(*) from wb_lease', filename),
      ...(isMounted ? [diskFull(join(disk, 'ballast'))] : []),
      ...(findLibfaketime() === null
        ? []
        : [clockMoved('machine clock +1 h and back', clockFile, '+3600'), clockMoved('machine clock -1 h and back', clockFile, '-3600')]),
    ],
    clockFile,
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
        database
          .prepare<[], LedgerRow>('select position, id, group_id as "group", term, session_id as session from ledger order by position')
          .all(),
      ),
    readRuns: () =>
      Promise.resolve(database.prepare<[], JobRunRow>('select job, occurrence, scheduled_at_ms as scheduledAtMs, term from job_run').all()),
    stop,
  };
}

/** Somebody else's transaction: the write lock, or a long read, which keeps the log from being taken over into the database. */
function held(kind: string, sql: string, filename: string): ServerFault {
  return {
    kind,
    lastsTtls: [0, 0.8],
    inject: async () => {
      const holder = new Database(filename, { timeout: 0 });
      while (!tryExec(holder, sql)) await sleep(5);
      return () => {
        holder.close();
        return Promise.resolve();
      };
    },
  };
}

function diskFull(ballast: string): ServerFault {
  return {
    kind: 'disk full',
    lastsTtls: [0.3, 1.5],
    inject: () => {
      const file = openSync(ballast, 'w');
      try {
        const block = Buffer.alloc(1 << 16);
        for (;;) writeSync(file, block);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      } finally {
        closeSync(file);
      }
      return Promise.resolve(() => {
        rmSync(ballast);
        return Promise.resolve();
      });
    },
  };
}

/** The store's clock is the machine's, and so is the members'. */
function clockMoved(kind: string, clockFile: string, offset: string): ServerFault {
  return {
    kind,
    lastsTtls: [0.5, 2],
    movesClock: true,
    inject: () => {
      setOffset(clockFile, offset);
      return Promise.resolve(() => {
        setOffset(clockFile, '+0');
        return Promise.resolve();
      });
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
