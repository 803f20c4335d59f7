import type { ClaimResult, HeartbeatRequest, HeartbeatResult, LeaseKey, NewSession, ReleaseResult } from '../src/lease-store.js';
import { MemoryDatabase, type StoreInstant } from '../src/memory/index.js';
import type { TermRecord } from '../src/term-record.js';

/** A rule that was broken. */
export class Violation extends Error {
  readonly rule: string;

  constructor(rule: string, message: string) {
    super(`${rule}: ${message}`);
    this.name = 'Violation';
    this.rule = rule;
  }
}

/** What the audit wants to know about the members' work. */
export interface WorkView {
  /** Whether work of this lease has begun and not settled, in a process that lives. */
  isWorking(groupId: string, sessionId: string, term: number): boolean;
  /** Whether any work of the session has not settled, in a process that lives. */
  isAnyWorking(sessionId: string): boolean;
}

interface AuditedSession {
  readonly ttlMs: number;
  expiresAt: number;
  isClosed: boolean;
}

interface AuditedLease {
  term: number;
  holderId: string | null;
}

/**
 * An account of its own of what the store may do, kept from what it was asked and answered: it shares no state and no code with the store that it
 * watches, so that a planted fault in the store cannot fool it. Checks S1, S2, L1–L3, T6, T7, T8.
 */
export class Audit {
  readonly #sessions = new Map<string, AuditedSession>();
  readonly #leases = new Map<string, AuditedLease>();
  readonly #writes = new Map<string, { readonly term: number; readonly sessionId: string }>();
  readonly #work: WorkView;

  constructor(work: WorkView) {
    this.#work = work;
  }

  isLive(sessionId: string, nowMs: number): boolean {
    const session = this.#sessions.get(sessionId);
    return session !== undefined && !session.isClosed && nowMs < session.expiresAt;
  }

  holds(groupId: string, sessionId: string, term: number, nowMs: number): boolean {
    const lease = this.#leases.get(groupId);
    return lease?.holderId === sessionId && lease.term === term && this.isLive(sessionId, nowMs);
  }

  /** The live session that holds the group, if any. */
  holder(groupId: string, nowMs: number): string | null {
    const holderId = this.#leases.get(groupId)?.holderId ?? null;
    return holderId !== null && this.isLive(holderId, nowMs) ? holderId : null;
  }

  liveSessionCount(nowMs: number): number {
    return [...this.#sessions.keys()].filter((sessionId) => this.isLive(sessionId, nowMs)).length;
  }

  opened(session: NewSession, nowMs: number): void {
    if (this.#sessions.has(session.sessionId)) throw new Violation('S2', `session ${session.sessionId} was opened a second time`);
    this.#sessions.set(session.sessionId, { ttlMs: session.ttlMs, expiresAt: nowMs + session.ttlMs, isClosed: false });
  }

  heartbeat(sessionId: string, alive: boolean, nowMs: number): void {
    const wasLive = this.isLive(sessionId, nowMs);
    if (alive && !wasLive) throw new Violation('S2', `a heartbeat revived session ${sessionId}`);
    if (!alive && wasLive) throw new Violation('S1', `a heartbeat of the live session ${sessionId} was refused`);
    if (alive) {
      const session = this.#sessions.get(sessionId)!;
      session.expiresAt = nowMs + session.ttlMs;
    }
  }

  closed(sessionId: string): void {
    if (this.#work.isAnyWorking(sessionId)) throw new Violation('T7', `session ${sessionId} was closed while its work was still going on`);
    const session = this.#sessions.get(sessionId);
    if (session) session.isClosed = true;
    for (const lease of this.#leases.values()) if (lease.holderId === sessionId) lease.holderId = null;
  }

  claimed(sessionId: string, result: ClaimResult, nowMs: number): void {
    const { groupId } = result;
    const lease = this.#leases.get(groupId) ?? { term: 0, holderId: null };
    const isFree = lease.holderId === null || !this.isLive(lease.holderId, nowMs);
    if (result.kind === 'refused') {
      if (result.reason === 'held' && isFree) throw new Violation('L1', `the free group ${groupId} was refused to ${sessionId}`);
      return;
    }
    if (!this.isLive(sessionId, nowMs)) throw new Violation('L1', `group ${groupId} was granted to the dead session ${sessionId}`);
    if (!result.fresh) {
      if (lease.holderId !== sessionId || lease.term !== result.term) {
        throw new Violation('L3', `group ${groupId} was granted again to ${sessionId} in term ${result.term}, which it does not hold`);
      }
      return;
    }
    if (!isFree) throw new Violation('T6', `group ${groupId} was granted to ${sessionId} while ${lease.holderId} held it`);
    if (result.term !== lease.term + 1) throw new Violation('L2', `group ${groupId} went from term ${lease.term} to ${result.term}`);
    this.#leases.set(groupId, { term: result.term, holderId: sessionId });
  }

  /** The record of the group's last term, right after a grant. */
  recorded(sessionId: string, { groupId, term }: ClaimResult & { readonly kind: 'granted' }, record: TermRecord | undefined): void {
    if (record?.term === term && record.sessionId === sessionId && record.endReason === null) return;
    throw new Violation(
      'H1',
      `group ${groupId} was granted to ${sessionId} in term ${term}, and the record says ${JSON.stringify(record)}`,
    );
  }

  released(sessionId: string, result: ReleaseResult): void {
    const { groupId, term } = result;
    const lease = this.#leases.get(groupId);
    const isExact = lease?.holderId === sessionId && lease.term === term;
    if (result.kind === 'not-held') {
      if (isExact) throw new Violation('L3', `group ${groupId} was not released by its holder`);
      return;
    }
    if (!isExact) throw new Violation('L3', `group ${groupId} was released by ${sessionId} in term ${term}, which does not hold it`);
    if (this.#work.isWorking(groupId, sessionId, term)) {
      throw new Violation('T7', `group ${groupId} was released in term ${term} while its work was still going on`);
    }
    lease.holderId = null;
  }

  /** A write that the fence let through (T8). */
  wrote(groupId: string, sessionId: string, term: number): void {
    const granted = this.#leases.get(groupId)?.term ?? 0;
    if (term !== granted)
      throw new Violation('T8', `a write of term ${term} was let through in group ${groupId}, whose term is ${granted}`);
    const last = this.#writes.get(groupId);
    if (last && (term < last.term || (term === last.term && sessionId !== last.sessionId))) {
      throw new Violation(
        'T8',
        `group ${groupId}: a write of term ${term} by ${sessionId} came after one of term ${last.term} by ${last.sessionId}`,
      );
    }
    this.#writes.set(groupId, { term, sessionId });
  }
}

/** The memory store's database under audit, with a fence that a simulated resource asks. */
export class AuditedDatabase extends MemoryDatabase {
  readonly audit: Audit;
  /** Set when the audit found something inside a statement, whose sender must not be the one to hear of it. */
  violation: Violation | null = null;

  constructor(audit: Audit, retentionMs: number) {
    super(retentionMs);
    this.audit = audit;
  }

  override openSession(session: NewSession, nowMs: StoreInstant): void {
    super.openSession(session, nowMs);
    this.check(() => this.audit.opened(session, nowMs));
  }

  override heartbeat(request: HeartbeatRequest, nowMs: StoreInstant): HeartbeatResult {
    const result = super.heartbeat(request, nowMs);
    this.check(() => this.audit.heartbeat(request.sessionId, result.alive, nowMs));
    return result;
  }

  override closeSession(sessionId: string, nowMs: StoreInstant): void {
    super.closeSession(sessionId, nowMs);
    this.check(() => this.audit.closed(sessionId));
  }

  override claim(sessionId: string, groupIds: readonly string[], nowMs: StoreInstant): readonly ClaimResult[] {
    const results = super.claim(sessionId, groupIds, nowMs);
    this.check(() => {
      for (const result of results) {
        this.audit.claimed(sessionId, result, nowMs);
        if (result.kind === 'granted') this.audit.recorded(sessionId, result, this.history([result.groupId], 1, nowMs)[0]);
      }
    });
    return results;
  }

  override release(sessionId: string, leases: readonly LeaseKey[], nowMs: StoreInstant): readonly ReleaseResult[] {
    const results = super.release(sessionId, leases, nowMs);
    this.check(() => {
      for (const result of results) this.audit.released(sessionId, result);
    });
    return results;
  }

  /** A write to the simulated resource, guarded by the lease. */
  write(groupId: string, sessionId: string, term: number): void {
    if (!this.isFenceOpen(groupId, term)) return;
    this.check(() => this.audit.wrote(groupId, sessionId, term));
  }

  protected isFenceOpen(groupId: string, term: number): boolean {
    return this.leases.get(groupId)?.term === term;
  }

  protected check(look: () => void): void {
    try {
      look();
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.violation ??= error;
    }
  }
}
