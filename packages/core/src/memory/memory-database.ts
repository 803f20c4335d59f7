/**
 * Sessions and leases in memory, with every rule of the contract in its plainest form. Each method is one atomic step at the
 * instant `nowMs` of the store's clock. The reference for every other store, and the ground truth of the simulation.
 *
 * @module
 */
import { StoreError } from '../errors.js';
import { fencedError, type FenceLease } from '../fence.js';
import { MAX_TERM_RECORDS, type ResignRequestResult, type TermRecord } from '../term-record.js';
import {
  MAX_STANDBY_RANK,
  type ClaimResult,
  type HeartbeatRequest,
  type HeartbeatResult,
  type HeldLeases,
  type HeldLeaseView,
  type LeaseHint,
  type LeaseHolder,
  type LeaseRelease,
  type LeaseView,
  type MemberView,
  type NewSession,
  type ReleaseResult,
} from '../lease-store.js';
import type { JobEntry, JobWrite, JobWriteResult } from '../occurrence-store.js';
import { MemoryJobs } from './memory-jobs.js';

/** An instant of the store's clock, in ms. Not comparable with local time (T1). */
export type StoreInstant = number & { readonly __clock: 'store' };

/** One session's row. */
export interface SessionRow {
  readonly sessionId: string;
  readonly memberId: string;
  readonly ttlMs: number;
  readonly openedAt: StoreInstant;
  readonly metadata: Readonly<Record<string, string>>;
  /** The session is live before this instant, and dead from it on. */
  expiresAt: StoreInstant;
  isClosed: boolean;
  grantCount: number;
  releaseCount: number;
  readonly contends: Set<string>;
  /** The groups that it holds, unless it is dead. */
  readonly holds: Set<string>;
}

/** One lease's row. It is never deleted, so that terms never repeat (L2). */
export interface LeaseRow {
  term: number;
  holderId: string | null;
}

/** One term of a group. */
export interface TermRow {
  readonly term: number;
  readonly sessionId: string;
  readonly memberId: string;
  readonly beganAt: StoreInstant;
  /** Set by whoever takes the session's name off the lease. */
  end: { readonly at: StoreInstant; readonly reason: string } | null;
  resignRequested: boolean;
}

/** How long dead sessions are kept by default, in ms. */
const RETENTION_MS = 3_600_000;

export class MemoryDatabase {
  readonly sessions: Map<string, SessionRow> = new Map();
  readonly leases: Map<string, LeaseRow> = new Map();
  /** The last terms of each group, the latest first (H1–H3). */
  readonly terms: Map<string, TermRow[]> = new Map();
  /** What fenced transactions have written. */
  readonly values: Map<string, unknown> = new Map();
  readonly jobs: MemoryJobs = new MemoryJobs();
  readonly #retentionMs: number;
  readonly #watchers = new Set<(hint: LeaseHint) => void>();

  /** @param retentionMs How long dead sessions are kept, in ms (S4). Default: an hour. */
  constructor(retentionMs: number = RETENTION_MS) {
    this.#retentionMs = retentionMs;
  }

  isLive(session: SessionRow | undefined, nowMs: StoreInstant): session is SessionRow {
    return session !== undefined && !session.isClosed && nowMs < session.expiresAt;
  }

  openSession(session: NewSession, nowMs: StoreInstant): void {
    this.prune(nowMs);
    if (this.sessions.has(session.sessionId)) {
      throw new StoreError('STORE_SESSION_EXISTS', `session ${JSON.stringify(session.sessionId)} exists already`, { outcome: 'none' });
    }
    this.sessions.set(session.sessionId, {
      sessionId: session.sessionId,
      memberId: session.memberId,
      ttlMs: session.ttlMs,
      openedAt: nowMs,
      metadata: { ...session.metadata },
      expiresAt: (nowMs + session.ttlMs) as StoreInstant,
      isClosed: false,
      grantCount: 0,
      releaseCount: 0,
      contends: new Set(),
      holds: new Set(),
    });
  }

  heartbeat(request: HeartbeatRequest, nowMs: StoreInstant): HeartbeatResult {
    const session = this.sessions.get(request.sessionId);
    if (!this.isLive(session, nowMs)) return { alive: false };
    session.expiresAt = (nowMs + session.ttlMs) as StoreInstant;
    const asked = new Set(request.holders);
    let standbyRank = 0;
    // In the order of opening.
    for (const other of asked.size === 0 ? [] : this.sessions.values()) {
      if (other === session || standbyRank === MAX_STANDBY_RANK) break;
      if (this.isLive(other, nowMs) && !asked.has(other.sessionId)) standbyRank += 1;
    }
    const holders = request.holders.map((sessionId) => {
      const holder = this.sessions.get(sessionId);
      const remainingMs = this.isLive(holder, nowMs) ? holder.expiresAt - nowMs : 0;
      return { sessionId, remainingMs, releaseCount: holder?.releaseCount ?? 0 };
    });
    return { alive: true, grantCount: session.grantCount, standbyRank, holders };
  }

  closeSession(sessionId: string, nowMs: StoreInstant): void {
    const session = this.sessions.get(sessionId);
    if (session === undefined || session.isClosed) return;
    const end = this.#endOf(session, 'closed', nowMs);
    session.isClosed = true;
    const freed = [...session.holds];
    for (const groupId of freed) this.#free(groupId, session, end);
    session.contends.clear();
    this.hint(freed);
  }

  contend(sessionId: string, groupIds: readonly string[], nowMs: StoreInstant): void {
    const session = this.sessions.get(sessionId);
    if (!this.isLive(session, nowMs)) return;
    for (const groupId of groupIds) session.contends.add(groupId);
  }

  withdraw(sessionId: string, groupIds: readonly string[]): void {
    for (const groupId of groupIds) this.sessions.get(sessionId)?.contends.delete(groupId);
  }

  claim(sessionId: string, groupIds: readonly string[], nowMs: StoreInstant): readonly ClaimResult[] {
    const granted: string[] = [];
    const results = groupIds.map((groupId): ClaimResult => {
      const session = this.sessions.get(sessionId);
      if (!this.isLive(session, nowMs)) return { kind: 'refused', groupId, reason: 'session-dead' };
      const lease = this.leases.get(groupId) ?? { term: 0, holderId: null };
      if (lease.holderId === sessionId) return { kind: 'granted', groupId, term: lease.term, fresh: false };
      const holder = this.#holder(lease, nowMs);
      if (holder) return { kind: 'refused', groupId, reason: 'held', holder };
      const dead = lease.holderId === null ? undefined : this.sessions.get(lease.holderId);
      if (dead !== undefined) this.#free(groupId, dead, this.#endOf(dead, 'expired', nowMs));
      lease.term += 1;
      lease.holderId = sessionId;
      this.leases.set(groupId, lease);
      const { term } = lease;
      const row: TermRow = { term, sessionId, memberId: session.memberId, beganAt: nowMs, end: null, resignRequested: false };
      this.terms.set(groupId, [row, ...(this.terms.get(groupId) ?? [])].slice(0, MAX_TERM_RECORDS));
      session.holds.add(groupId);
      session.grantCount += 1;
      granted.push(groupId);
      return { kind: 'granted', groupId, term: lease.term, fresh: true };
    });
    this.hint(granted);
    return results;
  }

  release(sessionId: string, leases: readonly LeaseRelease[], nowMs: StoreInstant): readonly ReleaseResult[] {
    const freed: string[] = [];
    const results = leases.map(({ groupId, term, reason = 'released' }): ReleaseResult => {
      const lease = this.leases.get(groupId);
      if (lease === undefined || lease.holderId !== sessionId || lease.term !== term) return { groupId, term, kind: 'not-held' };
      const session = this.sessions.get(sessionId);
      if (session) {
        session.releaseCount += 1;
        this.#free(groupId, session, this.isLive(session, nowMs) ? { at: nowMs, reason } : this.#endOf(session, 'expired', nowMs));
      }
      lease.holderId = null;
      freed.push(groupId);
      return { groupId, term, kind: 'released' };
    });
    this.hint(freed);
    return results;
  }

  held(sessionId: string, nowMs: StoreInstant): HeldLeases {
    const session = this.sessions.get(sessionId);
    if (!this.isLive(session, nowMs)) return { alive: false, grantCount: 0, leases: [] };
    const leases = [...session.holds].map((groupId): HeldLeaseView => {
      const { term } = this.leases.get(groupId)!;
      return { groupId, term, ...(this.#termRow(groupId)?.resignRequested === true && { resignRequested: true }) };
    });
    return { alive: true, grantCount: session.grantCount, leases };
  }

  read(groupIds: readonly string[], nowMs: StoreInstant): readonly LeaseView[] {
    const live = [...this.sessions.values()].filter((session) => this.isLive(session, nowMs));
    return groupIds.map((groupId) => {
      const lease = this.leases.get(groupId);
      const holder = lease ? this.#holder(lease, nowMs) : null;
      let contenderCount = 0;
      for (const session of live) if (session.contends.has(groupId) || holder?.sessionId === session.sessionId) contenderCount += 1;
      return { groupId, term: lease?.term ?? 0, holder, contenderCount };
    });
  }

  members(nowMs: StoreInstant): readonly MemberView[] {
    return [...this.sessions.values()]
      .filter((session) => this.isLive(session, nowMs))
      .map((session) => ({
        sessionId: session.sessionId,
        memberId: session.memberId,
        ttlMs: session.ttlMs,
        remainingMs: session.expiresAt - nowMs,
        ageMs: nowMs - session.openedAt,
        leaseCount: session.holds.size,
        contendCount: new Set([...session.contends, ...session.holds]).size,
        metadata: { ...session.metadata },
      }));
  }

  groups(nowMs: StoreInstant): readonly string[] {
    const live = [...this.sessions.values()].filter((session) => this.isLive(session, nowMs));
    return [...new Set(live.flatMap(({ contends, holds }) => [...contends, ...holds]))];
  }

  history(groupIds: readonly string[], limit: number, nowMs: StoreInstant): readonly TermRecord[] {
    return [...new Set(groupIds)].flatMap((groupId) => {
      const lease = this.leases.get(groupId);
      return (this.terms.get(groupId) ?? []).slice(0, limit).map(({ term, sessionId, memberId, beganAt, end }): TermRecord => {
        const holder = term === lease?.term && lease.holderId === sessionId ? this.sessions.get(sessionId) : undefined;
        // Nobody has taken the name of a session off that has died since.
        const ended = end ?? (holder === undefined || this.isLive(holder, nowMs) ? null : this.#endOf(holder, 'expired', nowMs));
        const endedAgoMs = ended && nowMs - ended.at;
        return { groupId, term, sessionId, memberId, beganAgoMs: nowMs - beganAt, endedAgoMs, endReason: ended && ended.reason };
      });
    });
  }

  requestResign(groupId: string, nowMs: StoreInstant): ResignRequestResult {
    const lease = this.leases.get(groupId);
    const holder = lease ? this.#holder(lease, nowMs) : null;
    const row = this.#termRow(groupId);
    if (holder === null || row === undefined) return { kind: 'not-held' };
    if (!row.resignRequested) {
      row.resignRequested = true;
      this.sessions.get(holder.sessionId)!.grantCount += 1;
      this.hint([groupId], true);
    }
    return { kind: 'requested', holder };
  }

  /** Fails unless the lease stands: the term is the last one, and its session has not given it up (L6). Whether that session lives is not asked: as long as nobody has taken over, nobody else writes. */
  assertStanding(lease: FenceLease): void {
    if (this.stands(lease)) return;
    throw fencedError(lease, 'a later term exists, or it was released');
  }

  /** Whether the term is the last one, and its session has not given it up. */
  stands({ groupId, term, sessionId }: FenceLease): boolean {
    const row = this.leases.get(groupId);
    return row?.term === term && row.holderId === sessionId;
  }

  readJobs(groupId: string): readonly JobEntry[] {
    return this.jobs.read(groupId);
  }

  /** The check of the lease and the write are one step (O1). */
  writeJob(write: JobWrite): JobWriteResult {
    const { groupId, lease } = write;
    return this.jobs.write(write, lease === null || this.stands({ ...lease, groupId }));
  }

  /** The end of a fenced transaction: the check and the writes are one step (T8). */
  commitFenced(lease: FenceLease, writes: ReadonlyMap<string, unknown>): void {
    this.assertStanding(lease);
    for (const [key, value] of writes) this.values.set(key, value);
  }

  /** Forgets sessions that have been dead for long (S4, F19). Their leases are free already; the terms stay. */
  prune(nowMs: StoreInstant): void {
    for (const session of this.sessions.values()) {
      if (nowMs < session.expiresAt + this.#retentionMs) continue;
      for (const groupId of [...session.holds]) this.#free(groupId, session, this.#endOf(session, 'expired', nowMs));
      this.sessions.delete(session.sessionId);
    }
  }

  /** Adds a listener of hints; the returned function removes it. */
  watch(onHint: (hint: LeaseHint) => void): () => void {
    const watcher = (hint: LeaseHint): void => onHint(hint);
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  protected hint(groupIds: readonly string[], resign: boolean = false): void {
    if (groupIds.length === 0) return;
    for (const watcher of this.#watchers) watcher({ groupIds, ...(resign && { resign }) });
  }

  #holder(lease: LeaseRow, nowMs: StoreInstant): LeaseHolder | null {
    const session = lease.holderId === null ? undefined : this.sessions.get(lease.holderId);
    if (!this.isLive(session, nowMs)) return null;
    const { sessionId, memberId, releaseCount } = session;
    return { sessionId, memberId, term: lease.term, remainingMs: session.expiresAt - nowMs, releaseCount };
  }

  #free(groupId: string, session: SessionRow, end: NonNullable<TermRow['end']>): void {
    session.holds.delete(groupId);
    this.leases.get(groupId)!.holderId = null;
    const row = this.#termRow(groupId);
    if (row) row.end ??= end;
  }

  /** The record of the group's last term. */
  #termRow(groupId: string): TermRow | undefined {
    const [row] = this.terms.get(groupId) ?? [];
    return row?.term === this.leases.get(groupId)?.term ? row : undefined;
  }

  /** How the terms of a session end that does not give them back: now, or when it expired. */
  #endOf(session: SessionRow, reason: 'closed' | 'expired', nowMs: StoreInstant): NonNullable<TermRow['end']> {
    return nowMs < session.expiresAt ? { at: nowMs, reason } : { at: session.expiresAt, reason: 'expired' };
  }
}
