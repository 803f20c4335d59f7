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
  type LeaseKey,
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
import { fencedErrorOf, type HintHub, type SqlArguments, type SqlStatement, termRecords } from '@wb/sql';
import { createHash } from 'node:crypto';
import { afterSome, inParts, PART_SIZE } from './batch-parts.js';
import { claimPart, sessionDeadRow } from './claim-part.js';
import { holderOf, toClaimResult } from './claim-result.js';
import { fencedTransaction, type FencedTransactionParts } from './fenced-transaction.js';
import { listenOn } from './hint-listener.js';
import { OpenedSessions } from './opened-sessions.js';
import { pause } from './pause.js';
import { PostgresClient, type Call } from './postgres-client.js';
import type { ClaimRow } from './postgres-claim-sql.js';
import type { PostgresFenceExecutor, PostgresTransaction } from './postgres-executor.js';
import { diagnosePostgres } from './postgres-diagnosis.js';
import { compileFenceSql, type FenceSql } from './postgres-fence-sql.js';
import { storeTables } from './postgres-fragments.js';
import { MIGRATION_LIMIT_MS, migratePostgres, postgresMigrationSql, type MigrationPlace } from './postgres-migration.js';
import { resolveOptions, type PostgresLeaseStoreOptions } from './postgres-options.js';
import { PostgresOccurrenceStore } from './postgres-occurrence-store.js';
import { postgresSchema } from './postgres-schema.js';
import { compileStoreSql, type StoreSql } from './postgres-statements.js';
import { releasePart, type ReleaseCalls } from './release-part.js';
import { textArray, wholeArray } from './sql-literal.js';
import { fenceStatement, fenceUserTransaction } from './user-fence.js';

/** How much one `openSession` prunes. */
const PRUNED_SESSIONS = 16;
const PRUNED_ROWS = 500;

/**
 * A store in a PostgreSQL database (13 and later), for any number of machines. Every call is one statement and one round trip (a batch: one for each 1,000 groups); the store's
 * clock (T1) is the server's.
 *
 * @throws `WbOptionError` `INVALID_OPTION`. Nothing is connected to before the first call; what is wrong with a server is a `StoreError` there.
 */
export function postgresLeaseStore(options: PostgresLeaseStoreOptions): PostgresLeaseStore {
  return new PostgresStore(options);
}

/** A store in a PostgreSQL database, with its fences. */
export interface PostgresLeaseStore extends LeaseStore {
  readJobs(groupId: string, options?: CallOptions): Promise<readonly JobEntry[]>;
  writeJob(write: JobWrite, options?: CallOptions): Promise<JobWriteResult>;
  /**
   * Runs `work` in a transaction that commits only if the lease stands at that moment (L6, T8): see {@link LeaseStore.fenced}. At `read committed`, as durable as everything that the store commits. If this process stops, the server
   * ends the transaction after `maxHoldMs`; before PostgreSQL 17, after `maxHoldMs` without a statement. The connection is none of those that heartbeats use, unless the store was given your pool.
   *
   * @throws `FencedError` `FENCED`; `WbOptionError`; `StoreError`; what `work` throws.
   */
  fenced<T>(lease: FenceLease, work: (transaction: PostgresTransaction) => T | PromiseLike<T>, options?: FencedOptions): Promise<T>;
  /**
   * Fences a transaction of yours: it can commit only if the lease stands now, and from here to its end nobody takes the group over (L6). One statement; the later it comes in the transaction, the shorter the hold.
   * If this process stops, the server ends the session, and so the transaction, when the lease's session would have expired (at the earliest after a second); a statement that lasts longer than that is cancelled.
   *
   * @throws `FencedError` `FENCED` if the lease does not stand: the transaction has failed then, roll it back. `WbOptionError` `INVALID_OPTION` outside of a transaction; what the driver throws.
   */
  fence(executor: PostgresFenceExecutor, lease: FenceLease): Promise<void>;
  /**
   * The statement of {@link PostgresLeaseStore.fence}, for every other library: run it inside the transaction, before its end. It fails, and the transaction with it, if the lease does not stand: no result
   * needs to be looked at. Outside of a transaction it guards nothing. What the library throws then is told from other errors by {@link PostgresLeaseStore.fencedErrorOf}.
   *
   * @throws `WbOptionError`
   */
  fenceStatement(lease: FenceLease): FenceStatement;
  /** The `FencedError` that an error of a library stands for, when it, or what it wraps, is the refusal of a {@link PostgresLeaseStore.fenceStatement}; `null` if it is anything else. */
  fencedErrorOf(error: unknown, lease: FenceLease): FencedError | null;
}

class PostgresStore implements PostgresLeaseStore {
  readonly capabilities: LeaseStoreCapabilities;
  readonly watch?: NonNullable<LeaseStore['watch']>;
  readonly #client: PostgresClient;
  readonly #place: MigrationPlace;
  readonly #sql: StoreSql;
  readonly #fenceSql: FenceSql;
  readonly #hints: HintHub;
  readonly #opened = new OpenedSessions();
  readonly #occurrences: PostgresOccurrenceStore;
  readonly #sessionRetentionMs: number;
  readonly #lockTimeoutMs: number;
  readonly #isPooled: boolean;

  constructor(options: PostgresLeaseStoreOptions) {
    const resolved = resolveOptions(options);
    const { schema, namespace, pooler } = resolved;
    const dialect = postgresSchema(schema, namespace);
    // Channels belong to the database, not to a schema; their names have 63 bytes.
    const channel = namespace + createHash('sha256').update(`${schema}.${namespace}`).digest('hex').slice(0, 16);
    this.#place = { dialect, schema, namespace };
    this.#sql = compileStoreSql(dialect.db, storeTables(schema, namespace), channel);
    this.#fenceSql = compileFenceSql(dialect.db, storeTables(schema, namespace));
    this.#sessionRetentionMs = resolved.sessionRetentionMs;
    this.#lockTimeoutMs = resolved.lockTimeoutMs;
    this.#isPooled = pooler;
    this.#client = new PostgresClient(resolved);
    this.#hints = listenOn(this.#client, channel);
    this.#occurrences = new PostgresOccurrenceStore({
      client: this.#client,
      sql: this.#sql,
      isLostOn: (sessionId, identity) => this.#opened.isLostOn(sessionId, identity),
    });
    this.capabilities = Object.freeze({
      name: 'postgres',
      durable: true,
      crossProcess: true,
      precisionMs: 1,
      watch: !pooler,
      fencing: true,
      history: true,
      resignRequests: true,
      groups: true,
      occurrences: true,
    });
    if (!pooler) this.watch = async (onHint, callOptions) => await this.#watch(onHint, callOptions);
  }

  async migrate(options?: CallOptions): Promise<void> {
    const call: Call = { operation: 'migrate', options, limitMs: MIGRATION_LIMIT_MS };
    await this.#client.use(call, (connection) => migratePostgres(connection, 'migrate', this.#place));
  }

  async migrationSql(options?: CallOptions): Promise<readonly string[]> {
    const operation = 'migrationSql';
    return await this.#client.use({ operation, options }, (connection) => postgresMigrationSql(connection, operation, this.#place));
  }

  async openSession(session: NewSession, options?: CallOptions): Promise<void> {
    assertNewSession(session);
    const { sessionId, memberId, ttlMs } = session;
    const call: Call = { operation: 'openSession', options };
    const metadata = JSON.stringify(session.metadata ?? {});
    const args = { sessionId, memberId, ttlMs, metadata, retentionMs: this.#sessionRetentionMs };
    const row = await this.#client.use(call, async (connection) => {
      const [opened] = await connection.execute(call.operation, this.#sql.openSession, args);
      if (Number(opened?.opened) !== 0) this.#opened.opened(sessionId, connection.identity);
      return opened;
    });
    if (Number(row?.opened) === 0) {
      throw new StoreError('STORE_SESSION_EXISTS', `session ${JSON.stringify(sessionId)} exists already`, { outcome: 'none' });
    }
    if (Number(row?.hasLongDead) !== 0) await this.#prune(options);
  }

  async heartbeat({ sessionId, holders }: HeartbeatRequest, options?: CallOptions): Promise<HeartbeatResult> {
    assertName('sessionId', sessionId);
    for (const holder of holders) assertName('holders', holder);
    const call: Call = { operation: 'heartbeat', options, isUrgent: true };
    const [row] = await this.#runFor(sessionId, call, this.#sql.heartbeat, { sessionId, holders: textArray(holders) });
    if (row === undefined || Number(row.closed) !== 0) {
      this.#opened.ended(sessionId);
      return { alive: false };
    }
    const health = row.holders === null ? [] : (JSON.parse(row.holders) as readonly (readonly [number, number])[]);
    return {
      alive: true,
      grantCount: Number(row.grantCount),
      standbyRank: Number(row.rank),
      holders: holders.map((holderId, at) => {
        const [remainingMs, releaseCount] = health[at]!;
        return { sessionId: holderId, remainingMs, releaseCount };
      }),
    };
  }

  async closeSession(sessionId: string, options?: CallOptions): Promise<void> {
    assertName('sessionId', sessionId);
    const call: Call = { operation: 'closeSession', options };
    // The first statement ends the session and so frees its leases (L1, S3). Others, if it had very many, only tidy up.
    let isBegun = false;
    for (let isDone = false; !isDone; isBegun = true) {
      const run = this.#client.run(call, this.#sql.closeSession, { sessionId, limit: PART_SIZE });
      const [row] = await run.catch((error: unknown) => {
        throw isBegun ? afterSome(error) : error;
      });
      isDone = Number(row?.leaseCount) < PART_SIZE && Number(row?.contenderCount) < PART_SIZE;
    }
    this.#opened.ended(sessionId);
  }

  async contend(sessionId: string, groupIds: readonly string[], options?: CallOptions): Promise<void> {
    assertBatch(sessionId, groupIds);
    await this.#inParts({ operation: 'contend', options }, groupIds, (call, part) =>
      this.#client.run(call, this.#sql.contend, { sessionId, groupIds: textArray(part) }),
    );
  }

  async withdraw(sessionId: string, groupIds: readonly string[], options?: CallOptions): Promise<void> {
    assertBatch(sessionId, groupIds);
    await this.#inParts({ operation: 'withdraw', options }, groupIds, (call, part) =>
      this.#client.run(call, this.#sql.withdraw, { sessionId, groupIds: textArray(part) }),
    );
  }

  async claim(sessionId: string, groupIds: readonly string[], options?: CallOptions): Promise<readonly ClaimResult[]> {
    assertBatch(sessionId, groupIds);
    const rows = new Map<string, ClaimRow>();
    await this.#inParts({ operation: 'claim', options }, [...new Set(groupIds)], async (call, part) => {
      const claim = async (asked: readonly string[]): Promise<readonly ClaimRow[]> => {
        const answer = await this.#runFor(sessionId, call, this.#sql.claim, { sessionId, groupIds: textArray(asked) });
        return answer.length > 0 ? answer : asked.map(sessionDeadRow);
      };
      for (const row of await claimPart(claim, part)) rows.set(row.groupId, row);
    });
    return groupIds.map((groupId) => {
      const row = rows.get(groupId)!;
      const result = toClaimResult(groupId, row);
      // A duplicate in the batch is a claim by its holder.
      if (row.kind === 'fresh') rows.set(groupId, { ...row, kind: 'again' });
      return result;
    });
  }

  async release(sessionId: string, leases: readonly LeaseRelease[], options?: CallOptions): Promise<readonly ReleaseResult[]> {
    assertLeases(sessionId, leases);
    const keyOf = ({ groupId, term }: LeaseKey): string => `${term} ${groupId}`;
    const reasonOf = new Map(leases.map((lease) => [keyOf(lease), lease.reason ?? 'released']));
    const released = new Set<string>();
    await this.#inParts(
      { operation: 'release', options },
      [...new Map(leases.map((lease) => [keyOf(lease), lease])).values()],
      async (call, part) => {
        const calls: ReleaseCalls = {
          release: (asked) =>
            this.#client.run(call, this.#sql.release, {
              sessionId,
              groupIds: textArray(asked.map(({ groupId }) => groupId)),
              terms: wholeArray(asked.map(({ term }) => term)),
              reasons: textArray(asked.map((lease) => reasonOf.get(keyOf(lease))!)),
            }),
          pause: (delayMs) => this.#client.wait(call, pause(delayMs)),
          limitMs: this.#lockTimeoutMs,
        };
        for (const lease of await releasePart(calls, part)) released.add(keyOf(lease));
      },
    );
    // A duplicate finds the lease free already.
    return leases.map((lease) => ({
      groupId: lease.groupId,
      term: lease.term,
      kind: released.delete(keyOf(lease)) ? 'released' : 'not-held',
    }));
  }

  async held(sessionId: string, options?: CallOptions): Promise<HeldLeases> {
    assertName('sessionId', sessionId);
    const rows = await this.#runFor(sessionId, { operation: 'held', options }, this.#sql.held, { sessionId });
    const [first] = rows;
    if (first === undefined) return { alive: false, grantCount: 0, leases: [] };
    return {
      alive: true,
      grantCount: Number(first.grantCount),
      leases: rows.flatMap(({ groupId, term, resign }): HeldLeaseView[] =>
        groupId === null ? [] : [{ groupId, term: Number(term), ...(Number(resign) === 1 && { resignRequested: true }) }],
      ),
    };
  }

  async read(groupIds: readonly string[], options?: CallOptions): Promise<readonly LeaseView[]> {
    for (const groupId of groupIds) assertName('groupId', groupId);
    const views: LeaseView[] = [];
    await this.#inParts({ operation: 'read', options }, groupIds, async (call, part) => {
      const rows = await this.#client.run(call, this.#sql.read, { groupIds: textArray(part) });
      for (const row of rows) {
        views.push({
          groupId: row.groupId,
          term: Number(row.term ?? 0),
          holder: holderOf(row),
          contenderCount: Number(row.contenderCount),
        });
      }
    });
    return views;
  }

  async history(groupIds: readonly string[], limit: number, options?: CallOptions): Promise<readonly TermRecord[]> {
    assertHistoryRequest(groupIds, limit);
    const records: TermRecord[] = [];
    await this.#inParts({ operation: 'history', options }, [...new Set(groupIds)], async (call, part) => {
      records.push(...termRecords(await this.#client.run(call, this.#sql.history, { groupIds: textArray(part), limit })));
    });
    return records;
  }

  async requestResign(groupId: string, options?: CallOptions): Promise<ResignRequestResult> {
    assertName('groupId', groupId);
    const [row] = await this.#client.run({ operation: 'requestResign', options }, this.#sql.requestResign, { groupId });
    const holder = row === undefined ? null : holderOf(row);
    return holder === null ? { kind: 'not-held' } : { kind: 'requested', holder };
  }

  async members(options?: CallOptions): Promise<readonly MemberView[]> {
    const rows = await this.#client.run({ operation: 'members', options }, this.#sql.members, {});
    return rows.map((row) => ({
      sessionId: row.sessionId,
      memberId: row.memberId,
      ttlMs: Number(row.ttlMs),
      remainingMs: Number(row.remainingMs),
      ageMs: Number(row.ageMs),
      leaseCount: Number(row.leaseCount),
      contendCount: Number(row.contendCount),
      metadata: JSON.parse(row.metadata) as Record<string, string>,
    }));
  }

  async readJobs(groupId: string, options?: CallOptions): Promise<readonly JobEntry[]> {
    return await this.#occurrences.readJobs(groupId, options);
  }

  async writeJob(write: JobWrite, options?: CallOptions): Promise<JobWriteResult> {
    return await this.#occurrences.writeJob(write, options);
  }

  async fenced<T>(lease: FenceLease, work: (transaction: PostgresTransaction) => T | PromiseLike<T>, options?: FencedOptions): Promise<T> {
    const isLostOn: FencedTransactionParts['isLostOn'] = (sessionId, identity) => this.#opened.isLostOn(sessionId, identity);
    return await fencedTransaction({ client: this.#client, sql: this.#fenceSql, isLostOn }, lease, work, options);
  }

  async fence(executor: PostgresFenceExecutor, lease: FenceLease): Promise<void> {
    const { groupId, term, sessionId } = lease;
    await fenceUserTransaction(this.#fenceSql, executor, lease, async () => {
      const [row] = await this.#client.run({ operation: 'fence', options: undefined }, this.#fenceSql.look, { groupId, term, sessionId });
      return row?.stands === true;
    });
  }

  fenceStatement(lease: FenceLease): FenceStatement {
    return fenceStatement(this.#fenceSql, lease);
  }

  fencedErrorOf(error: unknown, lease: FenceLease): FencedError | null {
    return fencedErrorOf(error, lease);
  }

  async groups(options?: CallOptions): Promise<readonly string[]> {
    const rows = await this.#client.run({ operation: 'groups', options }, this.#sql.groups, {});
    return rows.map(({ groupId }) => groupId);
  }

  async readClock(options?: CallOptions): Promise<number> {
    const [row] = await this.#client.run({ operation: 'readClock', options }, this.#sql.readClock, {});
    return Number(row!.nowMs);
  }

  async diagnose(options?: CallOptions): Promise<readonly StoreFinding[]> {
    const call: Call = { operation: 'diagnose', options };
    const place = { ...this.#place, pooler: this.#isPooled };
    return await this.#client.use(call, (connection) =>
      diagnosePostgres(connection, place, (body) =>
        this.#client.lend(call, async (other) => {
          await other.query('begin; select 1');
          const result = await body();
          await other.query('rollback');
          other.release();
          return result;
        }),
      ),
    );
  }

  async close(): Promise<void> {
    this.#hints.close();
    await this.#client.close();
  }

  async #watch(onHint: (hint: LeaseHint) => void, options: CallOptions | undefined): Promise<AsyncDisposable> {
    const call: Call = { operation: 'watch', options };
    this.#client.assertOpen(call);
    return await this.#hints.watch(onHint, (connected) => this.#client.wait(call, connected));
  }

  /** Runs a statement for a live session: no rows, as for a dead one, if the server's history is not the one that it was opened on (T6). */
  async #runFor<Args extends SqlArguments, Row>(
    sessionId: string,
    call: Call,
    statement: SqlStatement<Args, Row>,
    args: Args,
  ): Promise<readonly Row[]> {
    const rows = await this.#client.use(call, async (connection) =>
      this.#opened.isLostOn(sessionId, connection.identity) ? null : await connection.execute(call.operation, statement, args),
    );
    // Others see it live until it is closed, or has expired. Not closed here: its work does not know yet, and nobody may begin before that has stopped (T7).
    return rows ?? [];
  }

  /** An empty batch is still a call: whether the store can be used is a part of its answer. */
  async #inParts<T>(call: Call, items: readonly T[], run: (call: Call, part: readonly T[]) => Promise<unknown>): Promise<void> {
    this.#client.assertOpen(call);
    await inParts(items, (part) => run(call, part));
  }

  /** Forgets what has been dead for long (S4, F19). The session is open whether this works or not. */
  async #prune(options: CallOptions | undefined): Promise<void> {
    const args = { retentionMs: this.#sessionRetentionMs, sessionLimit: PRUNED_SESSIONS, rowLimit: PRUNED_ROWS };
    await this.#client.run({ operation: 'openSession', options }, this.#sql.prune, args).catch(() => undefined);
  }
}
