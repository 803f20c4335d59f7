import { StoreError } from '@wb/core';
import Database from 'better-sqlite3';
import { dirname, resolve } from 'node:path';
import { fileIdentity, MISSING } from './file-identity.js';
import { SqliteConnection } from './sqlite-connection.js';
import { toStoreError } from './sqlite-errors.js';
import { networkFileSystem } from './sqlite-file-system.js';
import type { ResolvedOptions, SqliteEnvironment } from './sqlite-options.js';
import type { StoreSql } from './sqlite-statements.js';
import type { UserDatabase } from './user-database.js';

/** A connection, and where its file is. */
export interface OpenConnection {
  readonly connection: SqliteConnection;
  /** Fails if the file at the path is not the one that the connection has open. */
  readonly assertFileInPlace: (operation: string) => void;
}

/** Where the database is. */
export interface DatabaseFile {
  /** Absolute from the start: the process may change its directory. */
  readonly path: string;
  /** Which file the user's handle has open, for as long as there is the handle; `null` for our own connections: each opens what is there then. */
  readonly identity: string | null;
}

/** The database's file, to be asked for when the store is made; `null` in memory. */
export function databaseFile(source: ResolvedOptions['source']): DatabaseFile | null {
  if (source.kind === 'file') return source.filename === ':memory:' ? null : { path: resolve(source.filename), identity: null };
  if (source.database.memory) return null;
  const path = resolve(source.database.name);
  return { path, identity: fileIdentity(path) };
}

/**
 * Refuses a file that other machines may have open.
 * @throws `StoreError` `STORE_REFUSED` on a network file system, `STORE_UNAVAILABLE` if the place cannot be looked at.
 */
export async function assertLocalFile(path: string, { fileSystemType }: SqliteEnvironment): Promise<void> {
  let type: number;
  try {
    type = await fileSystemType(fileIdentity(path) === MISSING ? dirname(path) : path);
  } catch (error) {
    throw new StoreError('STORE_UNAVAILABLE', `the place of the database ${JSON.stringify(path)} cannot be looked at: ${String(error)}`, {
      cause: error,
      isRetryable: true,
      outcome: 'none',
    });
  }
  const network = networkFileSystem(type);
  if (network === null) return;
  throw new StoreError(
    'STORE_REFUSED',
    `the database ${JSON.stringify(path)} is on a network file system (${network}); SQLite shares a database between the processes of one machine only: use a local disk, or another store`,
    { reason: 'configuration', outcome: 'none' },
  );
}

/** Opens the file, or takes the user's handle, and makes sure of WAL mode, unless the file is to stay as it is. Synchronous, and never waits for a lock: `STORE_BUSY` if someone holds it. */
export function openConnection(source: ResolvedOptions['source'], file: DatabaseFile | null, storeSql: StoreSql): OpenConnection {
  let close: (() => void) | null = null;
  const mustExist = source.kind === 'file' && source.mustExist === true;
  try {
    let handle: UserDatabase;
    if (source.kind === 'handle') {
      handle = source.database;
    } else {
      // Without a timeout: the driver would wait for locks with the event loop blocked.
      const own = new (source.Driver ?? Database)(file?.path ?? ':memory:', { timeout: 0, fileMustExist: mustExist });
      close = () => own.close();
      own.pragma('synchronous = NORMAL');
      handle = own;
    }
    const connection = new SqliteConnection(handle, close, storeSql);
    // A look is welcome in every mode, and the store's own tables are in a file that was brought into WAL mode, which it stays in.
    if (!mustExist) connection.withHandle('open', 'read', (open) => assertWalMode(open, source.kind === 'file'));
    if (file === null) return { connection, assertFileInPlace: () => undefined };
    const { path } = file;
    const identity = file.identity ?? fileIdentity(path);
    return { connection, assertFileInPlace: (operation) => assertInPlace(operation, path, identity) };
  } catch (error) {
    close?.();
    throw toStoreError('open', error, 'before-commit');
  }
}

function assertWalMode(handle: UserDatabase, mayChange: boolean): void {
  if (handle.memory) return;
  let mode = handle.pragma('journal_mode', { simple: true });
  if (mode !== 'wal' && mayChange) mode = handle.pragma('journal_mode = wal', { simple: true });
  if (mode === 'wal') return;
  const remedy = mayChange ? 'its file system or its SQLite does not allow it' : "set it once: `database.pragma('journal_mode = WAL')`";
  throw new StoreError('STORE_REFUSED', `the database is in journal mode ${JSON.stringify(mode)} and must be in WAL mode; ${remedy}`, {
    reason: 'configuration',
    outcome: 'none',
  });
}

/**
 * A file that was deleted or replaced lives on for those who have it open: they would keep their leases in the old one while others are granted them in the new.
 * Looked at by its path only: to open and close the file besides SQLite would drop SQLite's locks on it.
 */
function assertInPlace(operation: string, path: string, identity: string): void {
  if (identity !== MISSING && fileIdentity(path) === identity) return;
  throw new StoreError(
    'STORE_UNAVAILABLE',
    `\`${operation}\` failed: the database file ${JSON.stringify(path)} was moved, deleted or replaced`,
    {
      isRetryable: true,
      outcome: 'none',
    },
  );
}
