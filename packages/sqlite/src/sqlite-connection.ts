import { StoreError } from '@wb/core';
import type { OpenTransaction } from './open-transaction.js';
import { toStoreError, type CallStage } from './sqlite-errors.js';
import { prepareStoreSql, type StoreSql, type StoreStatements } from './sqlite-statements.js';
import type { UserDatabase, UserStatement } from './user-database.js';

/**
 * What a transaction needs to survive.
 *
 * - `'durable'`: the commit is on the disk before it is reported (`synchronous = FULL`): sessions opened and closed, grants and releases, the schema. A term that was
 *   handed out must never be handed out again, not even after a power cut.
 * - `'fast'`: the commit survives the end of every process, but a power cut may take it back (`synchronous = NORMAL`): heartbeats, contenders. Sound, because
 *   the database is local: the cut that takes a heartbeat back has also ended every process that could have relied on it, and what is left is an *older* expiry. The log
 *   is written in order, so that a durable commit also carries everything before it.
 * - `'read'`: nothing is written.
 */
export type Durability = 'durable' | 'fast' | 'read';

const NORMAL = 1;
const FULL = 2;

/** One connection: transactions that never wait, and never leave anything changed but data. Everything here is synchronous. */
export class SqliteConnection {
  readonly #handle: UserDatabase;
  readonly #closeHandle: (() => void) | null;
  readonly #storeSql: StoreSql;
  readonly #immediate: UserStatement;
  readonly #deferred: UserStatement;
  readonly #commit: UserStatement;
  readonly #rollback: UserStatement;
  #statements: StoreStatements | null = null;
  #dataVersion: UserStatement | null = null;

  /** @param closeHandle Given when the handle is ours: then it was opened without a busy timeout and with `synchronous = NORMAL`, and stays so. `null`: the user's. */
  constructor(handle: UserDatabase, closeHandle: (() => void) | null, storeSql: StoreSql) {
    this.#handle = handle;
    this.#closeHandle = closeHandle;
    this.#storeSql = storeSql;
    this.#immediate = handle.prepare('begin immediate');
    this.#deferred = handle.prepare('begin');
    this.#commit = handle.prepare('commit');
    this.#rollback = handle.prepare('rollback');
  }

  /** Runs `body` with the store's statements and the store's time in one transaction. Fails at once when someone else writes (`STORE_BUSY`). */
  transact<T>(operation: string, durability: Durability, body: (statements: StoreStatements, nowMs: number) => T): T {
    return this.withHandle(operation, durability, () => {
      this.#statements ??= prepareStoreSql(this.#handle, this.#storeSql);
      const statements = this.#statements;
      return this.#inTransaction(operation, durability, () => body(statements, statements.storeNow.get({})!.nowMs));
    });
  }

  /** As {@link transact}, with the bare handle: for the schema, which must be there before the store's statements can be prepared. */
  transactRaw<T>(operation: string, durability: Durability, body: (handle: UserDatabase) => T): T {
    return this.withHandle(operation, durability, (handle) => this.#inTransaction(operation, durability, () => body(handle)));
  }

  /** Opens a transaction, under the write lock, that lasts until it is ended. Fails at once when someone else writes (`STORE_BUSY`). */
  open(operation: string): OpenTransaction {
    const handle = this.#handle;
    this.#assertIdle(operation);
    const undo: string[] = [];
    let isOver = false;
    const end = (): void => {
      isOver = true;
      this.#undoPragmas(undo);
    };
    try {
      this.#setPragmas('durable', undo);
      this.#statements ??= prepareStoreSql(handle, this.#storeSql);
      const statements = this.#statements;
      this.#immediate.run();
      return {
        handle,
        statements,
        nowMs: statements.storeNow.get({})!.nowMs,
        isOpen: () => !isOver && handle.open && handle.inTransaction,
        commit: () => {
          try {
            this.#commit.run();
          } catch (error) {
            throw toStoreError(operation, error, 'commit');
          }
          end();
        },
        rollBack: () => {
          if (isOver || !handle.open) return;
          try {
            if (handle.inTransaction) this.#rollback.run();
            end();
          } catch {
            // The lock goes with the connection; a handle of the user's is his to close.
            isOver = true;
            try {
              this.close();
            } catch {
              // Somebody still steps through rows of it: nothing more can be done from here.
            }
          }
        },
      };
    } catch (error) {
      if (handle.open && handle.inTransaction) this.#rollback.run();
      end();
      throw toStoreError(operation, error, 'before-commit');
    }
  }

  /** The store's clock, also before there is any table. */
  readClock(operation: string): number {
    return this.withHandle(operation, 'read', (handle) => {
      const { sql } = this.#storeSql.storeNow;
      return Number(Reflect.get(Object(handle.prepare(sql).get()), 'nowMs'));
    });
  }

  /** A number that changes with each commit of another connection, and only if it is not `seen`, what the store's own mark is now (see `HintSql.mark`). Costs a few µs: no transaction is begun for it. */
  readChanges(operation: string, seen: number | null): { readonly version: number; readonly mark: number | null } {
    return this.withHandle(operation, 'read', (handle) => {
      this.#dataVersion ??= handle.prepare('pragma data_version');
      this.#statements ??= prepareStoreSql(handle, this.#storeSql);
      const version = Number(Reflect.get(Object(this.#dataVersion.get()), 'data_version'));
      return { version, mark: version === seen ? null : this.#statements.mark.get({})!.mark };
    });
  }

  /** Where the write-ahead log is: beside the file that a link leads to. It is there as long as the connection is. */
  walPath(operation: string): string {
    return this.withHandle(operation, 'read', (handle) => {
      const mode = handle.pragma('journal_mode', { simple: true });
      if (mode !== 'wal')
        throw new StoreError(
          'STORE_REFUSED',
          `\`${operation}\` failed: the database is in journal mode ${JSON.stringify(mode)}, and has no log to watch`,
          {
            reason: 'configuration',
            outcome: 'none',
          },
        );
      // The log is opened with the first look at the file.
      handle.prepare('select count(*) from sqlite_schema').get();
      const databases = handle.pragma('database_list') as readonly { readonly name: string; readonly file: string }[];
      return `${databases.find(({ name }) => name === 'main')!.file}-wal`;
    });
  }

  /** Runs `body` outside of any transaction, without ever waiting for a lock, and with the pragmas that `durability` needs. */
  withHandle<T>(operation: string, durability: Durability, body: (handle: UserDatabase) => T): T {
    const handle = this.#handle;
    this.#assertIdle(operation);
    const undo: string[] = [];
    try {
      this.#setPragmas(durability, undo);
      return body(handle);
    } catch (error) {
      throw toStoreError(operation, error, 'before-commit');
    } finally {
      this.#undoPragmas(undo);
    }
  }

  /** Closes the handle if it is ours. Idempotent. */
  close(): void {
    if (this.#handle.open) this.#closeHandle?.();
  }

  #assertIdle(operation: string): void {
    if (!this.#handle.open || !this.#handle.inTransaction) return;
    // Inside it we would neither see the others' commits nor decide about our own.
    throw new StoreError('STORE_BUSY', `\`${operation}\` has to wait: the database handle is inside a transaction of its owner`, {
      outcome: 'none',
      isRetryable: true,
    });
  }

  #inTransaction<T>(operation: string, durability: Durability, body: () => T): T {
    let stage: CallStage = 'before-commit';
    try {
      // Takes the write lock before anything is read: the clock too is read behind it (T1), and no read has to be upgraded later.
      (durability === 'read' ? this.#deferred : this.#immediate).run();
      const result = body();
      stage = 'commit';
      this.#commit.run();
      return result;
    } catch (error) {
      const fault = toStoreError(operation, error, durability === 'read' ? 'before-commit' : stage);
      this.#rollBack(operation, fault);
      throw fault;
    }
  }

  #rollBack(operation: string, fault: StoreError): void {
    // Some failures have rolled back already.
    if (!this.#handle.open || !this.#handle.inTransaction) return;
    try {
      this.#rollback.run();
    } catch (error) {
      throw new StoreError(
        'STORE_UNAVAILABLE',
        `\`${operation}\` failed and could not be rolled back: ${String(error)}; before that: ${fault.message}`,
        {
          cause: fault,
          isRetryable: true,
        },
      );
    }
  }

  /** Notes in `undo` how to take each change back, before it is made: the next one may fail. */
  #setPragmas(durability: Durability, undo: string[]): void {
    const set = (name: string, from: number, to: number): void => {
      if (from === to) return;
      undo.push(`${name} = ${from}`);
      this.#handle.pragma(`${name} = ${to}`);
    };
    const isOwned = this.#closeHandle !== null;
    if (!isOwned) set('busy_timeout', this.#read('busy_timeout'), 0);
    if (durability !== 'read') {
      const level = isOwned ? NORMAL : this.#read('synchronous');
      if (durability === 'fast') set('synchronous', level, NORMAL);
      else if (level < FULL) set('synchronous', level, FULL);
    }
  }

  #undoPragmas(undo: readonly string[]): void {
    for (const pragma of undo) {
      try {
        this.#handle.pragma(pragma);
      } catch {
        // What has come of the call is decided already: a pragma must not turn a commit into a "no", nor hide a fault that is worse.
      }
    }
  }

  #read(pragma: string): number {
    return Number(this.#handle.pragma(pragma, { simple: true }));
  }
}
