import {
  assertBatch,
  assertHistoryRequest,
  assertLeases,
  assertName,
  assertNewSession,
  StoreError,
  type CallOptions,
  type FencedError,
  type FencedOptions,
  type FenceLease,
  type FenceStatement,
  type ClaimResult,
  type HeartbeatRequest,
  type HeartbeatResult,
  type HeldLeases,
  type HeldLeaseView,
  type LeaseHint,
  type LeaseRelease,
  type LeaseStore,
  type LeaseStoreCapabilities,
  type LeaseView,
  type JobEntry,
  type JobWrite,
  type JobWriteResult,
  type MemberView,
  type NewSession,
  type ReleaseResult,
  type ResignRequestResult,
  type StoreFinding,
  type TermRecord,
} from '@wb/core';
import { fencedErrorOf, isKysely, partsOf, termRecords, type HintHub, type KyselyTransaction, type SchemaDialect } from '@wb/sql';
import { claimPart, holderOf } from './claim-part.js';
import { FencedTransactions } from './fenced-transaction.js';
import { watchWal } from './hint-listener.js';
import { databaseFile } from './open-connection.js';
import { SqliteClient, type Call } from './sqlite-client.js';
import type { Durability } from './sqlite-connection.js';
import { diagnoseSqlite } from './sqlite-diagnosis.js';
import { migrateSqlite, sqliteMigrationSql } from './sqlite-migration.js';
import {
  resolveOptions,
  systemEnvironment,
  type DatabaseDriver,
  type DatabaseSource,
  type FileSource,
  type SqliteEnvironment,
  type SqliteLeaseStoreOptions,
} from './sqlite-options.js';
import { SqliteOccurrenceStore } from './sqlite-occurrence-store.js';
import { sqliteSchema } from './sqlite-schema.js';
import { compileStoreSql, type StoreSql, type StoreStatements } from './sqlite-statements.js';
import type { SqliteTransaction } from './user-database.js';
import { fenceHandle, fenceKysely, fenceStatement, type SqliteFenceHandle } from './user-fence.js';

/** How many groups one transaction takes: a few ms of lock. */
const PART_SIZE = 250;
/** How much one `openSession` prunes: bounded, because it holds the lock. */
const PRUNED_SESSIONS = 16;
const PRUNED_ROWS = 500;

/**
 * A store in an SQLite database: for processes on *one* machine, with the file on a local disk. Runs in the process, so that a call takes microseconds, and
 * is synchronous while it runs; it never waits for a lock with the event loop blocked.
 *
 * The store's clock (T1) is this machine's wall clock, read by SQLite under the write lock.
 *
 * @throws `WbOptionError` `INVALID_OPTION`. The file is opened by the first call, not here; what is wrong with it is a `StoreError` there.
 */
export function sqliteLeaseStore(options: SqliteLeaseStoreOptions): SqliteLeaseStore {
  return new SqliteStore(options, systemEnvironment);
}

/** A store in an SQLite database, with its fences. */
export interface SqliteLeaseStore extends LeaseStore {
  readJobs(groupId: string, options?: CallOptions): Promise<readonly JobEntry[]>;
  writeJob(write: JobWrite, options?: CallOptions): Promise<JobWriteResult>;
  /**
   * Runs `work` in a transaction that commits only if the lease stands (L6, T8): see {@link LeaseStore.fenced}. `work` gets a handle of the same file that nothing else uses, inside of `begin immediate`; of a database in memory, the only handle
   * that there is. Nobody else writes to the file meanwhile, not even a heartbeat: so it lasts at most `maxHoldMs` (default here: 500), and at most a quarter of the shortest TTL of a live session. That is
   * a limit for a process that runs; nothing can take the lock from one that is frozen. After every 100 ms of lock it waits 30 ms before the next one, so that heartbeats of all processes come through.
   *
   * @throws `FencedError` `FENCED`; `WbOptionError`; `StoreError`; what `work` throws.
   */
  fenced<T>(lease: FenceLease, work: (transaction: SqliteTransaction) => T | PromiseLike<T>, options?: FencedOptions): Promise<T>;
  /**
   * Fences a transaction of yours: it can commit only if the lease stands now, and from here to its end nobody takes the group over (L6). Synchronous on a handle. Begin the transaction with `begin immediate`: one that has read before it writes fails with
   * `SQLITE_BUSY_SNAPSHOT` when somebody else has written.
   *
   * A refusal rolls the transaction back, on a handle; kysely does so itself.
   *
   * @throws `FencedError` `FENCED` if the lease does not stand. `WbOptionError` `INVALID_OPTION` outside of a transaction; what the driver throws.
   */
  fence(handle: SqliteFenceHandle, lease: FenceLease): void;
  fence(transaction: KyselyTransaction, lease: FenceLease): Promise<void>;
  /**
   * The statement of {@link SqliteLeaseStore.fence}, for every other library: run it inside the transaction, before its end, and let its failure roll back: SQLite fails the statement alone, and what was written before would be committed. It fails if the lease does not stand: no result
   * needs to be looked at. Outside of a transaction it guards nothing. What the library throws then is told from other errors by {@link SqliteLeaseStore.fencedErrorOf}.
   *
   * @throws `WbOptionError`
   */
  fenceStatement(lease: FenceLease): FenceStatement;
  /** The `FencedError` that an error of a library stands for, when it, or what it wraps, is the refusal of a {@link SqliteLeaseStore.fenceStatement}; `null` if it is anything else. */
  fencedErrorOf(error: unknown, lease: FenceLease): FencedError | null;
}

/** {@link sqliteLeaseStore}, with the machine to be given. @internal */
export class SqliteStore implements SqliteLeaseStore {
  readonly capabilities: LeaseStoreCapabilities;
  readonly watch?: NonNullable<LeaseStore['watch']>;
  readonly #client: SqliteClient;
  readonly #fencing: SqliteClient;
  readonly #fenced: FencedTransactions;
  readonly #occurrences: SqliteOccurrenceStore;
  readonly #sql: StoreSql;
  readonly #schema: SchemaDialect;
  readonly #namespace: string;
  readonly #sessionRetentionMs: number;
  readonly #hints: HintHub | null;

  constructor(options: SqliteLeaseStoreOptions, environment: SqliteEnvironment) {
    const resolved = resolveOptions(options);
    this.#namespace = resolved.namespace;
    this.#sessionRetentionMs = resolved.sessionRetentionMs;
    this.#schema = sqliteSchema(resolved.namespace);
    this.#sql = compileStoreSql(this.#schema.db, this.#namespace);
    const { source } = resolved;
    // Looked at once: the process may change its directory, and a handle's file may be replaced.
    const file = databaseFile(source);
    const isFile = file !== null;
    const open = (from: DatabaseSource): SqliteClient => new SqliteClient(from, file, this.#sql, environment);
    this.#client = open(source);
    // With its own driver: two copies of SQLite in one process would drop each other's locks.
    const beside: FileSource =
      source.kind === 'handle'
        ? { kind: 'file', filename: source.database.name, Driver: source.database.constructor as DatabaseDriver, mustExist: true }
        : source;
    this.#fencing = isFile ? open(beside) : this.#client;
    this.#fenced = new FencedTransactions(this.#fencing, environment);
    this.#occurrences = new SqliteOccurrenceStore(this.#client);
    this.capabilities = Object.freeze({
      name: 'sqlite',
      durable: isFile,
      crossProcess: isFile,
      precisionMs: 1,
      watch: resolved.hints,
      fencing: true,
      history: true,
      resignRequests: true,
      groups: true,
      occurrences: true,
    });
    const hints = resolved.hints ? watchWal(() => open({ ...beside, mustExist: true }), environment) : null;
    this.#hints = hints;
    if (hints === null) return;
    this.watch = async (onHint: (hint: LeaseHint) => void, callOptions?: CallOptions): Promise<AsyncDisposable> => {
      const watch = call('watch', 'read', callOptions);
      this.#client.assertGoingOn(watch);
      return await hints.watch(onHint, (connected) => this.#client.wait(watch, connected));
    };
  }

  async migrate(options?: CallOptions): Promise<void> {
    await this.#client.run(call('migrate', 'durable', options), (connection) => migrateSqlite(connection, this.#schema, this.#namespace));
  }

  async migrationSql(options?: CallOptions): Promise<readonly string[]> {
    return await this.#client.run(call('migrationSql', 'read', options), (connection) =>
      sqliteMigrationSql(connection, this.#schema, this.#namespace),
    );
  }

  async openSession(session: NewSession, options?: CallOptions): Promise<void> {
    assertNewSession(session);
    const { sessionId, memberId, ttlMs } = session;
    const metadata = JSON.stringify(session.metadata ?? {});
    await this.#client.transact(call('openSession', 'durable', options), (statements, nowMs) => {
      statements.settleSessions.run({ nowMs });
      this.#prune(statements, nowMs);
      if (statements.openSession.run({ sessionId, memberId, ttlMs, nowMs, metadata }) > 0) return;
      throw new StoreError('STORE_SESSION_EXISTS', `session ${JSON.stringify(sessionId)} exists already`, { outcome: 'none' });
    });
  }

  async heartbeat(request: HeartbeatRequest, options?: CallOptions): Promise<HeartbeatResult> {
    const { sessionId } = request;
    assertName('sessionId', sessionId);
    for (const holder of request.holders) assertName('holders', holder);
    const holders = JSON.stringify(request.holders);
    return await this.#client.transact(call('heartbeat', 'fast', options), (statements, nowMs): HeartbeatResult => {
      const own = statements.heartbeat.get({ sessionId, nowMs });
      if (own === undefined || own.closed !== 0) return { alive: false };
      const { grantCount, openedAtMs } = own;
      if (request.holders.length === 0) return { alive: true, grantCount, standbyRank: 0, holders: [] };
      statements.settleHolders.run({ holders, nowMs });
      const { rank } = statements.standbyRank.get({ sessionId, nowMs, openedAtMs, holders })!;
      const health = new Map(statements.holderHealth.all({ holders, nowMs }).map((row) => [row.key, row]));
      return {
        alive: true,
        grantCount,
        standbyRank: rank,
        holders: request.holders.map((holderId, key) => {
          const { remainingMs = 0, releaseCount = 0 } = health.get(key) ?? {};
          return { sessionId: holderId, remainingMs, releaseCount };
        }),
      };
    });
  }

  async closeSession(sessionId: string, options?: CallOptions): Promise<void> {
    assertName('sessionId', sessionId);
    const sessionIds = JSON.stringify([sessionId]);
    // The first part ends the session and so frees its leases (L1, S3). The others only tidy up.
    await this.#client.transactParts(call('closeSession', 'durable', options), untilDone(), (progress, statements, nowMs) => {
      if (!progress.hasBegun) statements.closeSession.run({ sessionId, nowMs });
      const leaseCount = clearLeases(statements, sessionIds, PART_SIZE, nowMs);
      const contenderCount = statements.clearContenders.run({ sessionIds, limit: PART_SIZE });
      progress.hasBegun = true;
      progress.isDone = leaseCount < PART_SIZE && contenderCount < PART_SIZE;
    });
  }

  async contend(sessionId: string, groupIds: readonly string[], options?: CallOptions): Promise<void> {
    assertBatch(sessionId, groupIds);
    await this.#client.transactParts(call('contend', 'fast', options), partsOf(groupIds, PART_SIZE), (part, statements, nowMs) => {
      statements.contend.run({ sessionId, groupIds: JSON.stringify(part), nowMs });
    });
  }

  async withdraw(sessionId: string, groupIds: readonly string[], options?: CallOptions): Promise<void> {
    assertBatch(sessionId, groupIds);
    await this.#client.transactParts(call('withdraw', 'fast', options), partsOf(groupIds, PART_SIZE), (part, statements) => {
      statements.withdraw.run({ sessionId, groupIds: JSON.stringify(part) });
    });
  }

  async claim(sessionId: string, groupIds: readonly string[], options?: CallOptions): Promise<readonly ClaimResult[]> {
    assertBatch(sessionId, groupIds);
    const parts = await this.#client.transactParts(
      call('claim', 'durable', options),
      partsOf(groupIds, PART_SIZE),
      (part, statements, nowMs) => claimPart(statements, sessionId, part, nowMs),
    );
    return parts.flat();
  }

  async release(sessionId: string, leases: readonly LeaseRelease[], options?: CallOptions): Promise<readonly ReleaseResult[]> {
    assertLeases(sessionId, leases);
    const parts = await this.#client.transactParts(
      call('release', 'durable', options),
      partsOf(leases, PART_SIZE),
      (part, statements, nowMs) => {
        const keys = JSON.stringify(part.map(({ groupId, term }) => [groupId, term]));
        const freed = new Map(statements.release.all({ sessionId, leases: keys }).map(({ groupId, term }) => [groupId, term]));
        if (freed.size > 0) {
          statements.countReleases.run({ sessionId, count: freed.size });
          const ended = part.filter(({ groupId, term }) => freed.get(groupId) === term);
          statements.endTerms.run({
            ends: JSON.stringify(ended.map(({ groupId, term, reason }) => [groupId, term, reason ?? 'released'])),
            nowMs,
          });
        }
        return part.map(({ groupId, term }): ReleaseResult => {
          // A duplicate finds the lease free already.
          const isReleased = freed.get(groupId) === term && freed.delete(groupId);
          return { groupId, term, kind: isReleased ? 'released' : 'not-held' };
        });
      },
    );
    return parts.flat();
  }

  async held(sessionId: string, options?: CallOptions): Promise<HeldLeases> {
    assertName('sessionId', sessionId);
    return await this.#client.transact(call('held', 'read', options), (statements, nowMs): HeldLeases => {
      const session = statements.liveSession.get({ sessionId, nowMs });
      if (session === undefined) return { alive: false, grantCount: 0, leases: [] };
      const leases = statements.held
        .all({ sessionId })
        .map(({ groupId, term, resign }): HeldLeaseView => ({ groupId, term, ...(resign === 1 && { resignRequested: true }) }));
      return { alive: true, grantCount: session.grantCount, leases };
    });
  }

  async read(groupIds: readonly string[], options?: CallOptions): Promise<readonly LeaseView[]> {
    for (const groupId of groupIds) assertName('groupId', groupId);
    const parts = await this.#client.transactParts(
      call('read', 'read', options),
      partsOf(groupIds, PART_SIZE),
      (part, statements, nowMs) => {
        const rows = statements.read.all({ groupIds: JSON.stringify(part), nowMs });
        return rows.map((row): LeaseView => ({
          groupId: part[row.key]!,
          term: row.term ?? 0,
          holder: holderOf(row),
          contenderCount: row.contenderCount,
        }));
      },
    );
    return parts.flat();
  }

  async history(groupIds: readonly string[], limit: number, options?: CallOptions): Promise<readonly TermRecord[]> {
    assertHistoryRequest(groupIds, limit);
    const parts = await this.#client.transactParts(
      call('history', 'read', options),
      partsOf([...new Set(groupIds)], PART_SIZE),
      (part, statements, nowMs) => termRecords(statements.history.all({ groupIds: JSON.stringify(part), limit, nowMs })),
    );
    return parts.flat();
  }

  async requestResign(groupId: string, options?: CallOptions): Promise<ResignRequestResult> {
    assertName('groupId', groupId);
    return await this.#client.transact(call('requestResign', 'durable', options), (statements, nowMs): ResignRequestResult => {
      const [row] = statements.leases.all({ groupIds: JSON.stringify([groupId]), nowMs });
      const holder = row === undefined ? null : holderOf(row);
      if (holder === null) return { kind: 'not-held' };
      const { sessionId, term } = holder;
      if (statements.markResign.run({ groupId, term, sessionId }) > 0) statements.countRequest.run({ sessionId });
      return { kind: 'requested', holder };
    });
  }

  async members(options?: CallOptions): Promise<readonly MemberView[]> {
    return await this.#client.transact(call('members', 'read', options), (statements, nowMs) =>
      statements.members
        .all({ nowMs })
        .map((row): MemberView => ({ ...row, metadata: JSON.parse(row.metadata) as Record<string, string> })),
    );
  }

  async readJobs(groupId: string, options?: CallOptions): Promise<readonly JobEntry[]> {
    return await this.#occurrences.readJobs(groupId, options);
  }

  async writeJob(write: JobWrite, options?: CallOptions): Promise<JobWriteResult> {
    return await this.#occurrences.writeJob(write, options);
  }

  async fenced<T>(lease: FenceLease, work: (transaction: SqliteTransaction) => T | PromiseLike<T>, options?: FencedOptions): Promise<T> {
    return await this.#fenced.run(lease, work, options);
  }

  fence(handle: SqliteFenceHandle, lease: FenceLease): void;
  fence(transaction: KyselyTransaction, lease: FenceLease): Promise<void>;
  fence(executor: SqliteFenceHandle | KyselyTransaction, lease: FenceLease): void | Promise<void> {
    return isKysely(executor) ? fenceKysely(this.#sql, executor, lease) : fenceHandle(this.#sql, executor, lease);
  }

  fenceStatement(lease: FenceLease): FenceStatement {
    return fenceStatement(this.#sql, lease);
  }

  fencedErrorOf(error: unknown, lease: FenceLease): FencedError | null {
    return fencedErrorOf(error, lease);
  }

  async groups(options?: CallOptions): Promise<readonly string[]> {
    return await this.#client.transact(call('groups', 'read', options), (statements, nowMs) =>
      statements.groups.all({ nowMs }).map(({ groupId }) => groupId),
    );
  }

  async readClock(options?: CallOptions): Promise<number> {
    return await this.#client.run(call('readClock', 'read', options), (connection) => connection.readClock('readClock'));
  }

  async diagnose(options?: CallOptions): Promise<readonly StoreFinding[]> {
    return await this.#client.run(call('diagnose', 'durable', options), (connection) =>
      diagnoseSqlite(connection, this.#schema, this.#namespace),
    );
  }

  close(): Promise<void> {
    this.#hints?.close();
    this.#fenced.close();
    this.#fencing.close();
    this.#client.close();
    return Promise.resolve();
  }

  /** Forgets what has been dead for long (S4, F19): a bounded piece of it, and the session last, so that nothing is left that points to nowhere. */
  #prune(statements: StoreStatements, nowMs: number): void {
    const dead = statements.longDead.all({ deadSinceMs: nowMs - this.#sessionRetentionMs, limit: PRUNED_SESSIONS });
    if (dead.length === 0) return;
    const sessionIds = JSON.stringify(dead.map(({ sessionId }) => sessionId));
    clearLeases(statements, sessionIds, PRUNED_ROWS, nowMs);
    statements.clearContenders.run({ sessionIds, limit: PRUNED_ROWS });
    statements.deleteSessions.run({ sessionIds });
  }
}

/** Takes the names of dead sessions off their leases, and notes how their terms ended (H2); how many there were. */
function clearLeases(statements: StoreStatements, sessionIds: string, limit: number, nowMs: number): number {
  const cleared = statements.clearLeases.all({ sessionIds, limit });
  if (cleared.length > 0) {
    statements.endTerms.run({ ends: JSON.stringify(cleared.map(({ groupId, term }) => [groupId, term, null])), nowMs });
  }
  return cleared.length;
}

function call(operation: string, durability: Durability, options: CallOptions | undefined): Call {
  return { operation, durability, options };
}

interface Progress {
  hasBegun: boolean;
  isDone: boolean;
}

function* untilDone(): Generator<Progress, void, void> {
  const progress: Progress = { hasBegun: false, isDone: false };
  while (!progress.isDone) yield progress;
}
