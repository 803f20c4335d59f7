import {
  assertBatch,
  assertHistoryRequest,
  assertLeases,
  assertName,
  assertNewSession,
  fenceWaitMs,
  resolveHoldMs,
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
import { fencedErrorOf, termRecords } from '@wb/sql';
import { boundedParts, sortedTexts } from './batch-part.js';
import { claimPart, holderOf, inPlaces } from './claim-part.js';
import type { ConnectionSource } from './connection-source.js';
import { FENCE_CALL_LIMIT_MS, fencedTransaction } from './fenced-transaction.js';
import { watchBell } from './hint-listener.js';
import { compileHintSql } from './hint-sql.js';
import { compileLeaseSql, type LeaseSql } from './mysql-claim-sql.js';
import { MysqlClient, type Call } from './mysql-client.js';
import { diagnoseMysql } from './mysql-diagnosis.js';
import { serverNumber } from './mysql-errors.js';
import type { MysqlFenceExecutor, MysqlTransaction } from './mysql-executor.js';
import { compileFenceSql, formOf, type FenceSql } from './mysql-fence-sql.js';
import { compileJobSql } from './mysql-job-sql.js';
import { migrateMysql, mysqlMigrationSql } from './mysql-migration.js';
import { MysqlOccurrenceStore } from './mysql-occurrence-store.js';
import { resolveOptions, systemEnvironment, type MysqlEnvironment, type MysqlLeaseStoreOptions } from './mysql-options.js';
import { compileSessionSql, type OwnRow, type SessionSql } from './mysql-session-sql.js';
import { statementCompiler } from './mysql-statement.js';
import { compileTermSql, type TermSql } from './mysql-term-sql.js';
import { OpenedSessions } from './opened-sessions.js';
import { OwnConnections } from './own-connections.js';
import { compilePlainHeartbeatSql, plainHeartbeat, type PlainHeartbeatSql } from './plain-heartbeat.js';
import { pruneSessions, PRUNED_SESSIONS } from './prune-sessions.js';
import { releasePart } from './release-part.js';
import { compileServerSql, type ServerSql } from './server-identity.js';
import { UserConnections } from './user-connections.js';
import { fenceStatement, fenceUserTransaction } from './user-fence.js';

/** All statements of the store. */
export type StoreSql = SessionSql & LeaseSql & TermSql & PlainHeartbeatSql & ServerSql;

const CAPABILITIES = {
  name: 'mysql',
  durable: true,
  crossProcess: true,
  precisionMs: 1,
  fencing: true,
  history: true,
  resignRequests: true,
  groups: true,
  occurrences: true,
} as const;

/** How long each statement of a migration may take without a signal, in ms: it waits for whoever uses the table. */
const MIGRATION_LIMIT_MS = 120_000;
const ER_DUP_ENTRY = 1062;
/** How many rows of contenders one transaction deletes. */
const CLEARED_ROWS = 1_000;

/**
 * A store in a MySQL (8.0.17 and later) or MariaDB (10.6 and later) database.
 *
 * The store's clock (T1) is the server's, in UTC. Each call is one transaction, sent as one packet where the connection allows it: a heartbeat is one round trip.
 *
 * @throws `WbOptionError` `INVALID_OPTION`. Nothing is connected to before the first call.
 */
export function mysqlLeaseStore(options: MysqlLeaseStoreOptions): MysqlLeaseStore {
  return new MysqlStore(options, systemEnvironment);
}

/** A store in a MySQL or MariaDB database, with its fences. */
export interface MysqlLeaseStore extends LeaseStore {
  readJobs(groupId: string, options?: CallOptions): Promise<readonly JobEntry[]>;
  writeJob(write: JobWrite, options?: CallOptions): Promise<JobWriteResult>;
  /**
   * Runs `work` in a transaction that commits only if the lease stands at that moment (L6, T8): see {@link LeaseStore.fenced}. At the isolation level that connections have by default. If this process stops, the server
   * ends the connection, and so the transaction, after `maxHoldMs` without a statement, rounded up to whole seconds. The connection is none of those that heartbeats use, unless the store was given your pool.
   *
   * @throws `FencedError` `FENCED`; `WbOptionError`; `StoreError`; what `work` throws.
   */
  fenced<T>(lease: FenceLease, work: (transaction: MysqlTransaction) => T | PromiseLike<T>, options?: FencedOptions): Promise<T>;
  /**
   * Fences a transaction of yours: it can commit only if the lease stands now, and from here to its end nobody takes the group over (L6). One statement; the later it comes in the transaction, the shorter the hold.
   * If this process stops, that lasts until the server ends the connection: set its `wait_timeout`, which is 8 hours by default. A refusal rolls the transaction back, on a connection; kysely does so itself.
   *
   * @throws `FencedError` `FENCED` if the lease does not stand. `WbOptionError` `INVALID_OPTION` outside of a transaction; what the driver throws.
   */
  fence(executor: MysqlFenceExecutor, lease: FenceLease): Promise<void>;
  /**
   * The statement of {@link MysqlLeaseStore.fence}, for every other library: run it inside the transaction, before its end, and let its failure roll back: MySQL fails the statement alone, and what was written before would be committed. If this process stops, nothing but `wait_timeout` of the connection bounds the hold. It fails if the lease does not stand: no result
   * needs to be looked at. Outside of a transaction it guards nothing. What the library throws then is told from other errors by {@link MysqlLeaseStore.fencedErrorOf}.
   *
   * @throws `WbOptionError`
   */
  fenceStatement(lease: FenceLease): FenceStatement;
  /** The `FencedError` that an error of a library stands for, when it, or what it wraps, is the refusal of a {@link MysqlLeaseStore.fenceStatement}; `null` if it is anything else. */
  fencedErrorOf(error: unknown, lease: FenceLease): FencedError | null;
}

class MysqlStore implements MysqlLeaseStore {
  readonly capabilities: LeaseStoreCapabilities;
  readonly watch?: NonNullable<LeaseStore['watch']>;
  readonly #client: MysqlClient;
  readonly #closeHints: () => void = () => undefined;
  readonly #sql: StoreSql;
  readonly #fenceSql: FenceSql;
  readonly #opened = new OpenedSessions();
  readonly #occurrences: MysqlOccurrenceStore;
  readonly #namespace: string;
  readonly #sessionRetentionMs: number;
  readonly #hasUserPool: boolean;

  constructor(options: MysqlLeaseStoreOptions, environment: MysqlEnvironment) {
    const { source, namespace, sessionRetentionMs, hints } = resolveOptions(options);
    this.#namespace = namespace;
    this.#sessionRetentionMs = sessionRetentionMs;
    this.#hasUserPool = source.kind === 'user';
    const compiler = statementCompiler(namespace);
    this.#sql = Object.freeze({
      ...compileSessionSql(compiler),
      ...compileLeaseSql(compiler),
      ...compileTermSql(compiler),
      ...compilePlainHeartbeatSql(compiler),
      ...compileServerSql(compiler),
    });
    this.#fenceSql = compileFenceSql(compiler);
    const connections = (): ConnectionSource =>
      source.kind === 'own' ? new OwnConnections(source.driverOptions, source.connectionLimit) : new UserConnections(source.pool);
    this.#client = new MysqlClient(connections(), connections(), environment, this.#sql.server({}));
    this.#occurrences = new MysqlOccurrenceStore({
      client: this.#client,
      sql: compileJobSql(compiler),
      serversOf: (sessionId) => this.#opened.serversOf(sessionId),
      isLostOn: (sessionId, call, server) => this.#isLostOn(sessionId, call)(server),
    });
    this.capabilities = Object.freeze({ ...CAPABILITIES, watch: hints });
    if (!hints || source.kind !== 'own') return;
    // Beside the connections of the calls.
    const own = new OwnConnections(source.driverOptions, 1);
    const client = new MysqlClient(own, own, environment, this.#sql.server({}));
    const hub = watchBell(client, compileHintSql(compiler, namespace), environment);
    this.#closeHints = (): void => {
      hub.close();
      client.close();
    };
    this.watch = async (onHint: (hint: LeaseHint) => void, callOptions?: CallOptions): Promise<AsyncDisposable> => {
      const call: Call = { operation: 'watch', options: callOptions };
      client.assertGoingOn(call);
      return await hub.watch(onHint, (connected) => client.wait(call, connected));
    };
  }

  async migrate(options?: CallOptions): Promise<void> {
    await migrateMysql(this.#client, { operation: 'migrate', options, limitMs: MIGRATION_LIMIT_MS }, this.#namespace);
  }

  async migrationSql(options?: CallOptions): Promise<readonly string[]> {
    return await mysqlMigrationSql(this.#client, { operation: 'migrationSql', options }, this.#namespace);
  }

  async openSession(session: NewSession, options?: CallOptions): Promise<void> {
    assertNewSession(session);
    const { sessionId, memberId, ttlMs } = session;
    const metadata = JSON.stringify(session.metadata ?? {});
    const call: Call = { operation: 'openSession', options };
    const retentionMs = this.#sessionRetentionMs;
    try {
      const [, dead, [server]] = await this.#client.run(call, 'write', [
        this.#sql.openSession({ sessionId, memberId, ttlMs, metadata }),
        this.#sql.longDead({ retentionMs, limit: PRUNED_SESSIONS }),
        this.#sql.server({}),
      ]);
      this.#opened.opened(sessionId, server!);
      await pruneSessions(this.#client, call, this.#sql, sortedTexts(dead.map((row) => row.sessionId)));
    } catch (error) {
      if (!(error instanceof StoreError) || serverNumber(error.cause) !== ER_DUP_ENTRY) throw error;
      throw new StoreError('STORE_SESSION_EXISTS', `session ${JSON.stringify(sessionId)} exists already`, {
        cause: error,
        outcome: 'none',
      });
    }
  }

  async heartbeat(request: HeartbeatRequest, options?: CallOptions): Promise<HeartbeatResult> {
    const { sessionId } = request;
    assertName('sessionId', sessionId);
    for (const holder of request.holders) assertName('holders', holder);
    const holders = JSON.stringify(request.holders);
    const call: Call = { operation: 'heartbeat', options, isUrgent: true };
    const answer = this.#hasUserPool ? await plainHeartbeat(this.#client, call, this.#sql, request, this.#isLostOn(sessionId, call)) : null;
    if (answer !== null) return answer;
    const beat = [this.#sql.lockSession({ sessionId }), this.#sql.beat({ sessionId }), this.#sql.own({ sessionId })] as const;
    const [, , own, ranks, seen] =
      request.holders.length === 0
        ? ([...(await this.#client.run(call, 'write', beat)), [], []] as const)
        : await this.#client.run(call, 'write', [
            ...beat,
            this.#sql.standbyRank({ sessionId, holders }),
            this.#sql.holderHealth({ holders }),
          ]);
    if (!(await this.#isAlive(sessionId, call, own))) return { alive: false };
    const health = inPlaces(seen, request.holders.length);
    return {
      alive: true,
      grantCount: own[0]!.grantCount,
      standbyRank: ranks[0]?.rank ?? 0,
      holders: request.holders.map((holderId, at) => {
        const { remainingMs = 0, releaseCount = 0 } = health[at] ?? {};
        return { sessionId: holderId, remainingMs, releaseCount };
      }),
    };
  }

  async closeSession(sessionId: string, options?: CallOptions): Promise<void> {
    assertName('sessionId', sessionId);
    const call: Call = { operation: 'closeSession', options };
    // Frees its leases (L1, S3).
    await this.#client.run(call, 'write', [this.#sql.lockSession({ sessionId }), this.#sql.closeSession({ sessionId })]);
    // The rest only tidies up; the names on the leases go when the session is pruned.
    for (let cleared = CLEARED_ROWS; cleared >= CLEARED_ROWS;) {
      [cleared] = await this.#client.run(call, 'write', [this.#sql.clearContenders({ sessionId, limit: CLEARED_ROWS })]);
    }
    this.#opened.ended(sessionId);
  }

  async contend(sessionId: string, groupIds: readonly string[], options?: CallOptions): Promise<void> {
    assertBatch(sessionId, groupIds);
    await this.#inParts({ operation: 'contend', options }, sortedTexts(new Set(groupIds)), identity, async (call, part) => {
      await this.#client.run(call, 'write', [this.#sql.contend({ sessionId, groupIds: JSON.stringify(part) })]);
    });
  }

  async withdraw(sessionId: string, groupIds: readonly string[], options?: CallOptions): Promise<void> {
    assertBatch(sessionId, groupIds);
    await this.#inParts({ operation: 'withdraw', options }, sortedTexts(new Set(groupIds)), identity, async (call, part) => {
      await this.#client.run(call, 'write', [this.#sql.withdraw({ sessionId, groupIds: JSON.stringify(part) })]);
    });
  }

  async claim(sessionId: string, groupIds: readonly string[], options?: CallOptions): Promise<readonly ClaimResult[]> {
    assertBatch(sessionId, groupIds);
    const answers = new Map<string, ClaimResult>();
    await this.#inParts({ operation: 'claim', options }, sortedTexts(new Set(groupIds)), identity, async (call, part) => {
      for (const result of await claimPart(this.#client, call, this.#sql, sessionId, part, this.#isLostOn(sessionId, call)))
        answers.set(result.groupId, result);
    });
    return groupIds.map((groupId): ClaimResult => {
      const result = answers.get(groupId)!;
      // A duplicate of the group in the batch is a claim by its holder.
      if (result.kind === 'granted' && result.fresh) answers.set(groupId, { ...result, fresh: false });
      return result;
    });
  }

  async release(sessionId: string, leases: readonly LeaseRelease[], options?: CallOptions): Promise<readonly ReleaseResult[]> {
    assertLeases(sessionId, leases);
    const freed = new Set<string>();
    const key = ({ groupId, term }: LeaseKey): string => `${term}:${groupId}`;
    await this.#inParts(
      { operation: 'release', options },
      sortedLeases(leases),
      ({ groupId }) => groupId,
      async (call, part) => {
        for (const lease of await releasePart(this.#client, call, this.#sql, sessionId, part)) freed.add(key(lease));
      },
    );
    // A duplicate finds the lease free already.
    return leases.map(({ groupId, term }) => ({ groupId, term, kind: freed.delete(key({ groupId, term })) ? 'released' : 'not-held' }));
  }

  async held(sessionId: string, options?: CallOptions): Promise<HeldLeases> {
    assertName('sessionId', sessionId);
    // Under the session's lock: "dead" must be definite, and a heartbeat may be under way.
    const call: Call = { operation: 'held', options };
    const [, , own, leases] = await this.#client.run(call, 'write', [
      this.#sql.lockSession({ sessionId }),
      this.#sql.settleSession({ sessionId }),
      this.#sql.own({ sessionId }),
      this.#sql.held({ sessionId }),
    ]);
    if (!(await this.#isAlive(sessionId, call, own))) return { alive: false, grantCount: 0, leases: [] };
    return {
      alive: true,
      grantCount: own[0]!.grantCount,
      leases: leases.map(({ groupId, term, resign }): HeldLeaseView => ({ groupId, term, ...(resign === 1 && { resignRequested: true }) })),
    };
  }

  async read(groupIds: readonly string[], options?: CallOptions): Promise<readonly LeaseView[]> {
    for (const groupId of groupIds) assertName('groupId', groupId);
    const parts = await this.#inParts({ operation: 'read', options }, groupIds, identity, async (call, part) => {
      const [rows] = await this.#client.run(call, 'read', [this.#sql.read({ groupIds: JSON.stringify(part) })]);
      return inPlaces(rows, part.length).map((row, at): LeaseView => ({
        groupId: part[at]!,
        term: row.term ?? 0,
        holder: holderOf(row),
        contenderCount: row.contenderCount,
      }));
    });
    return parts.flat();
  }

  async history(groupIds: readonly string[], limit: number, options?: CallOptions): Promise<readonly TermRecord[]> {
    assertHistoryRequest(groupIds, limit);
    const parts = await this.#inParts({ operation: 'history', options }, [...new Set(groupIds)], identity, async (call, part) => {
      const [rows] = await this.#client.run(call, 'read', [this.#sql.history({ groupIds: JSON.stringify(part), limit })]);
      return termRecords(rows);
    });
    return parts.flat();
  }

  async requestResign(groupId: string, options?: CallOptions): Promise<ResignRequestResult> {
    assertName('groupId', groupId);
    const call: Call = { operation: 'requestResign', options };
    const groupIds = JSON.stringify([groupId]);
    const [[seen]] = await this.#client.run(call, 'read', [this.#sql.leases({ groupIds })]);
    const holder = holderOf(seen!);
    if (holder === null) return { kind: 'not-held' };
    const { sessionId, term } = holder;
    const lease = { groupId, term, sessionId };
    const [, , , , [now]] = await this.#client.run(call, 'write', [
      this.#sql.lockSession({ sessionId }),
      this.#sql.settleSession({ sessionId }),
      this.#sql.countRequest(lease),
      this.#sql.markResign(lease),
      this.#sql.leases({ groupIds }),
    ]);
    const asked = holderOf(now!);
    // Meanwhile it was given up: what was marked is over.
    return asked?.sessionId === sessionId && asked.term === term ? { kind: 'requested', holder: asked } : { kind: 'not-held' };
  }

  async members(options?: CallOptions): Promise<readonly MemberView[]> {
    const [rows] = await this.#client.run({ operation: 'members', options }, 'read', [this.#sql.members({})]);
    return rows.map((row): MemberView => ({ ...row, metadata: JSON.parse(row.metadata) as Record<string, string> }));
  }

  async readJobs(groupId: string, options?: CallOptions): Promise<readonly JobEntry[]> {
    return await this.#occurrences.readJobs(groupId, options);
  }

  async writeJob(write: JobWrite, options?: CallOptions): Promise<JobWriteResult> {
    return await this.#occurrences.writeJob(write, options);
  }

  async fenced<T>(lease: FenceLease, work: (transaction: MysqlTransaction) => T | PromiseLike<T>, options?: FencedOptions): Promise<T> {
    // Refuses what is wrong, or over, before the server is asked anything.
    resolveHoldMs(lease, options);
    const call: Call = { operation: 'fenced', options, limitMs: fenceWaitMs(lease, FENCE_CALL_LIMIT_MS) };
    return await fencedTransaction(
      this.#client,
      this.#fenceSql,
      await this.#client.askForOtherWriters(call),
      this.#isLostOn(lease.sessionId, call),
      lease,
      work,
      options,
    );
  }

  async fence(executor: MysqlFenceExecutor, lease: FenceLease): Promise<void> {
    const { groupId, term, sessionId } = lease;
    const call: Call = { operation: 'fence', options: undefined, limitMs: FENCE_CALL_LIMIT_MS };
    await fenceUserTransaction(formOf(this.#fenceSql, await this.#client.askForOtherWriters(call)), executor, lease, async () => {
      const [rows] = await this.#client.run(call, 'read', [this.#fenceSql.look({ groupId, term, sessionId })]);
      return rows[0]?.stands === 1;
    });
  }

  fenceStatement(lease: FenceLease): FenceStatement {
    // Of a store that has talked to no server yet: what is right for all.
    return fenceStatement(formOf(this.#fenceSql, this.#client.hasOtherWriters ?? true), lease);
  }

  fencedErrorOf(error: unknown, lease: FenceLease): FencedError | null {
    return fencedErrorOf(error, lease);
  }

  async groups(options?: CallOptions): Promise<readonly string[]> {
    const [rows] = await this.#client.run({ operation: 'groups', options }, 'read', [this.#sql.groups({})]);
    return rows.map(({ groupId }) => groupId);
  }

  async readClock(options?: CallOptions): Promise<number> {
    const [rows] = await this.#client.run({ operation: 'readClock', options }, 'bare', [this.#sql.readClock({})]);
    return rows[0]!.nowMs;
  }

  async diagnose(options?: CallOptions): Promise<readonly StoreFinding[]> {
    return await diagnoseMysql(this.#client, { operation: 'diagnose', options }, this.#namespace);
  }

  close(): Promise<void> {
    this.#closeHints();
    this.#client.close();
    return Promise.resolve();
  }

  /** Whether the session lives, on a server that it belongs to. */
  async #isAlive(sessionId: string, call: Call, [own]: readonly OwnRow[]): Promise<boolean> {
    if (own !== undefined && own.closed === 0) return !(await this.#isLostOn(sessionId, call)(own.server));
    this.#opened.ended(sessionId);
    return false;
  }

  /** Whether the session is lost because another server answers (T6). */
  #isLostOn(sessionId: string, call: Call): (server: string) => Promise<boolean> {
    // Others see it live until it is closed, or has expired. Not closed here: its work does not know yet, and nobody may begin before that has stopped (T7).
    return async (server) =>
      await this.#opened.isLostOn(sessionId, server, async () => {
        const [rows] = await this.#client.run(call, 'read', [this.#sql.server({})]);
        return rows[0]!;
      });
  }

  /** A transaction, or a few, for each part of a batch, one after the other. An empty batch is still a call of an open store. */
  async #inParts<T, R>(
    call: Call,
    items: readonly T[],
    nameOf: (item: T) => string,
    body: (call: Call, part: readonly T[]) => Promise<R>,
  ): Promise<R[]> {
    this.#client.assertGoingOn(call);
    const results: R[] = [];
    for (const part of boundedParts(items, nameOf)) {
      try {
        results.push(await body(call, part));
      } catch (error) {
        throw results.length > 0 ? afterSomeParts(error) : error;
      }
    }
    return results;
  }
}

function identity(name: string): string {
  return name;
}

/** By group, then term, without duplicates. */
function sortedLeases(leases: readonly LeaseRelease[]): LeaseRelease[] {
  const terms = new Map<string, Map<number, LeaseRelease>>();
  for (const lease of leases)
    terms.set(lease.groupId, (terms.get(lease.groupId) ?? new Map<number, LeaseRelease>()).set(lease.term, lease));
  return sortedTexts(terms.keys()).flatMap((groupId) => [...terms.get(groupId)!.values()]);
}

/** The parts before the one that failed were committed. */
function afterSomeParts(error: unknown): unknown {
  if (!(error instanceof StoreError)) return error;
  return new StoreError(error.code as 'STORE_FAULT', `${error.message}; an earlier part of the batch was committed`, {
    cause: error,
    isRetryable: error.isRetryable,
    outcome: 'unknown',
  });
}
