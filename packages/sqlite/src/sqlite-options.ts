import { systemClock, WbOptionError, type Clock } from '@wb/core';
import { assertNamespace, DEFAULT_NAMESPACE } from '@wb/sql';
import { statfs } from 'node:fs/promises';
import type { UserDatabase } from './user-database.js';
import { watchFile } from './watch-file.js';

/** What both ways of giving a database have in common. */
export interface SqliteCommonOptions {
  /** What the names of the tables begin with: 1 to 32 characters, a–z first, then a–z, 0–9 and `_`. Default: `'wb_'`. */
  readonly namespace?: string;
  /** How long dead sessions are kept before they are pruned, in ms by the store's clock (S4). Default: 3,600,000 (an hour). Range: a whole number, 0 to 2,592,000,000 (30 days). */
  readonly sessionRetentionMs?: number;
  /** Whether the store watches the file's log for changes, so that a standby sees a release at once and not with its next heartbeat (W1). Not in memory. Default: `true`; in memory `false`. */
  readonly hints?: boolean;
}

/** The store opens the file itself, and closes it with `close()`. */
export interface SqliteFileOptions extends SqliteCommonOptions {
  /** The path of the database, on a local disk; it is created if need be. `':memory:'`: for this process alone. */
  readonly filename: string;
  /**
   * For those who only look: the file must be there, and what it is, is not changed: it is neither created nor brought into WAL mode. Without it every call fails with `STORE_UNAVAILABLE`. Default: `false`.
   */
  readonly fileMustExist?: boolean;
  readonly database?: never;
}

/** The store uses a handle of yours. It never closes it, and leaves its pragmas as they were after each call. */
export interface SqliteHandleOptions extends SqliteCommonOptions {
  /** An open `better-sqlite3` database in WAL mode (or in memory), writable. */
  readonly database: UserDatabase;
  readonly filename?: never;
  readonly fileMustExist?: never;
}

/** Options of `sqliteLeaseStore`: either a `filename` or a `database`. */
export type SqliteLeaseStoreOptions = SqliteFileOptions | SqliteHandleOptions;

/** What the store needs of the machine. Tests give their own. */
export interface SqliteEnvironment {
  readonly clock: Clock;
  /** From 0 to below 1: spreads retries. */
  readonly random: () => number;
  /** The type number of the file system that a path is on. */
  readonly fileSystemType: (path: string) => Promise<number>;
  /** Tells of every write to a file, until it is closed; `onEnd` if it cannot tell any more. Keeps no process alive. Throws if it cannot even begin. */
  readonly watchFile: (path: string, onWrite: () => void, onEnd: (cause: unknown) => void) => { close(): void };
}

/** A file to be opened. */
export interface FileSource {
  readonly kind: 'file';
  readonly filename: string;
  /** Neither created nor changed by opening it. Default: `false`. */
  readonly mustExist?: boolean;
  /** The driver to open it with. Default: the one that this package depends on. */
  readonly Driver?: DatabaseDriver;
}

/** Where connections come from. */
export type DatabaseSource = FileSource | { readonly kind: 'handle'; readonly database: UserDatabase };

/** `Database` of `better-sqlite3`. */
export type DatabaseDriver = new (
  filename: string,
  options: { readonly timeout: number; readonly fileMustExist: boolean },
) => UserDatabase & { close(): unknown };

/** The options with nothing left open. */
export type ResolvedOptions = Readonly<
  Required<SqliteCommonOptions> & {
    source: DatabaseSource;
  }
>;

/** The longest time that dead sessions can be kept, in ms: 30 days. */
const MAX_RETENTION_MS = 2_592_000_000;

/** The real machine. */
export const systemEnvironment: SqliteEnvironment = Object.freeze({
  clock: systemClock,
  random: Math.random,
  fileSystemType: async (path: string): Promise<number> => (await statfs(path)).type,
  watchFile,
});

/**
 * Fills in the defaults and checks the whole, before anything is touched.
 * @throws `WbOptionError` `INVALID_OPTION`, naming the field, its value and the limit.
 */
export function resolveOptions(options: SqliteLeaseStoreOptions): ResolvedOptions {
  const { namespace = DEFAULT_NAMESPACE, sessionRetentionMs = 3_600_000 } = options;
  assertNamespace('namespace', namespace);
  if (!Number.isInteger(sessionRetentionMs) || sessionRetentionMs < 0 || sessionRetentionMs > MAX_RETENTION_MS) {
    throw invalid('sessionRetentionMs', sessionRetentionMs, `must be a whole number of milliseconds from 0 to ${MAX_RETENTION_MS}`);
  }
  const source = resolveSource(options);
  return Object.freeze({ source, namespace, sessionRetentionMs, hints: resolveHints(options.hints, source) });
}

function resolveHints(hints: unknown, source: DatabaseSource): boolean {
  const isInMemory = source.kind === 'file' ? source.filename === ':memory:' : source.database.memory;
  if (hints === undefined) return !isInMemory;
  if (typeof hints !== 'boolean') throw invalid('hints', hints, 'must be true or false');
  if (hints && isInMemory) throw invalid('hints', hints, 'and a database in memory exclude each other: it has no log to watch');
  return hints;
}

function resolveSource({ filename, fileMustExist, database }: SqliteLeaseStoreOptions): ResolvedOptions['source'] {
  if (fileMustExist !== undefined && typeof fileMustExist !== 'boolean')
    throw invalid('fileMustExist', fileMustExist, 'must be true or false');
  if (filename !== undefined && database !== undefined)
    throw invalid('filename', filename, 'and `database` exclude each other: give one of the two');
  if (database !== undefined) {
    if (fileMustExist !== undefined) throw invalid('fileMustExist', fileMustExist, 'is for a `filename`: a `database` is open already');
    if (!isDatabase(database)) throw invalid('database', database, 'must be an open database of better-sqlite3');
    if (!database.open) throw invalid('database', database.name, 'is closed: give an open database');
    return { kind: 'handle', database };
  }
  if (typeof filename !== 'string') throw invalid('filename', filename, 'must be the path of a database file; or give `database`');
  if (filename.trim() === '') throw invalid('filename', filename, 'must not be blank: a nameless database is seen by nobody else');
  if (filename.startsWith('file:')) throw invalid('filename', filename, 'must be a path: URIs are not supported');
  // The driver would cut blanks off by itself, and the store would then look at another path than the driver does.
  if (filename !== filename.trim()) throw invalid('filename', filename, 'must not begin or end with a blank');
  if (fileMustExist === true && filename === ':memory:')
    throw invalid('fileMustExist', fileMustExist, 'and a database in memory exclude each other');
  return { kind: 'file', filename, ...(fileMustExist === true && { mustExist: true }) };
}

function isDatabase(value: unknown): value is UserDatabase {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof Reflect.get(value, 'prepare') === 'function' &&
    typeof Reflect.get(value, 'pragma') === 'function' &&
    typeof Reflect.get(value, 'name') === 'string' &&
    typeof Reflect.get(value, 'open') === 'boolean'
  );
}

function invalid(field: string, value: unknown, limit: string): WbOptionError {
  const shown =
    typeof value === 'string'
      ? JSON.stringify(value.slice(0, 80))
      : typeof value === 'number' || typeof value === 'boolean'
        ? String(value)
        : typeof value;
  return new WbOptionError('INVALID_OPTION', field, `\`${field}\` (${shown}) ${limit}`);
}
