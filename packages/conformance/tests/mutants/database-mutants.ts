import type { ClaimResult, HeartbeatRequest, HeartbeatResult, LeaseKey, LeaseView, MemberView, NewSession, ReleaseResult } from '@wb/core';
import { MemoryDatabase, type SessionRow, type StoreInstant } from '@wb/core/memory';
import { RETENTION_MS, type Mutant } from './mutant.js';

const INSTANT_MS = 5;

class Wrong extends MemoryDatabase {
  constructor() {
    super(RETENTION_MS);
  }
}

/** A session that lives at the very instant of its expiry; an instant of a few ms, so that a busy machine does not miss it. */
class LivingAtExpiry extends Wrong {
  override isLive(session: SessionRow | undefined, nowMs: StoreInstant): session is SessionRow {
    return session !== undefined && !session.isClosed && nowMs <= session.expiresAt + INSTANT_MS;
  }

  override read(groupIds: readonly string[], nowMs: StoreInstant): readonly LeaseView[] {
    return super
      .read(groupIds, nowMs)
      .map((view) => (view.holder ? { ...view, holder: { ...view.holder, remainingMs: Math.floor(view.holder.remainingMs) } } : view));
  }
}

class RaisingOnReclaim extends Wrong {
  override claim(sessionId: string, groupIds: readonly string[], nowMs: StoreInstant): readonly ClaimResult[] {
    for (const groupId of groupIds) {
      const lease = this.leases.get(groupId);
      if (lease?.holderId === sessionId) lease.term += 1;
    }
    return super.claim(sessionId, groupIds, nowMs);
  }
}

class ForgettingTerms extends Wrong {
  override prune(nowMs: StoreInstant): void {
    super.prune(nowMs);
    for (const [groupId, lease] of this.leases) if (lease.holderId === null) this.leases.delete(groupId);
  }
}

class ReleasingByGroup extends Wrong {
  override release(sessionId: string, leases: readonly LeaseKey[], nowMs: StoreInstant): readonly ReleaseResult[] {
    return leases.flatMap((key) => {
      const lease = this.leases.get(key.groupId);
      return super.release(lease?.holderId ?? sessionId, [{ ...key, term: lease?.term ?? key.term }], nowMs);
    });
  }
}

class ReleasingAnyTerm extends Wrong {
  override release(sessionId: string, leases: readonly LeaseKey[], nowMs: StoreInstant): readonly ReleaseResult[] {
    return leases.flatMap((key) =>
      super
        .release(sessionId, [{ ...key, term: this.leases.get(key.groupId)?.term ?? key.term }], nowMs)
        .map((result): ReleaseResult => ({ ...result, term: key.term })),
    );
  }
}

/** An update that matched a row is taken for one that changed it. */
class CountingMatchedRows extends Wrong {
  override release(sessionId: string, leases: readonly LeaseKey[], nowMs: StoreInstant): readonly ReleaseResult[] {
    return super.release(sessionId, leases, nowMs).map((result): ReleaseResult => {
      const lease = this.leases.get(result.groupId);
      return lease?.term === result.term && lease.holderId === null ? { ...result, kind: 'released' } : result;
    });
  }
}

class Reviving extends Wrong {
  override heartbeat(request: HeartbeatRequest, nowMs: StoreInstant): HeartbeatResult {
    const session = this.sessions.get(request.sessionId);
    if (session && !session.isClosed) session.expiresAt = (nowMs + session.ttlMs) as StoreInstant;
    return super.heartbeat(request, nowMs);
  }
}

class RevivingTheClosed extends Wrong {
  override heartbeat(request: HeartbeatRequest, nowMs: StoreInstant): HeartbeatResult {
    const session = this.sessions.get(request.sessionId);
    if (session) session.isClosed = false;
    return super.heartbeat(request, nowMs);
  }
}

class RenewingByMember extends Wrong {
  override heartbeat(request: HeartbeatRequest, nowMs: StoreInstant): HeartbeatResult {
    const own = this.sessions.get(request.sessionId);
    for (const session of this.sessions.values()) {
      if (session.memberId === own?.memberId && this.isLive(session, nowMs)) session.expiresAt = (nowMs + session.ttlMs) as StoreInstant;
    }
    return super.heartbeat(request, nowMs);
  }
}

class RenewingNothing extends Wrong {
  override heartbeat(request: HeartbeatRequest, nowMs: StoreInstant): HeartbeatResult {
    const session = this.sessions.get(request.sessionId);
    const before = session?.expiresAt;
    const result = super.heartbeat(request, nowMs);
    if (session && before !== undefined) session.expiresAt = before;
    return result;
  }
}

class RenewingTwice extends Wrong {
  override heartbeat(request: HeartbeatRequest, nowMs: StoreInstant): HeartbeatResult {
    const result = super.heartbeat(request, nowMs);
    const session = this.sessions.get(request.sessionId);
    if (session && result.alive) session.expiresAt = (session.expiresAt + session.ttlMs) as StoreInstant;
    return result;
  }
}

class OneTtlForAll extends Wrong {
  override openSession(session: NewSession, nowMs: StoreInstant): void {
    super.openSession(session, nowMs);
    const ttlMs = [...this.sessions.values()][0]!.ttlMs;
    this.sessions.get(session.sessionId)!.expiresAt = (nowMs + ttlMs) as StoreInstant;
  }
}

class ExpiringEarly extends Wrong {
  override openSession(session: NewSession, nowMs: StoreInstant): void {
    super.openSession(session, nowMs);
    this.sessions.get(session.sessionId)!.expiresAt = (nowMs + session.ttlMs / 2) as StoreInstant;
  }
}

class Reopening extends Wrong {
  override openSession(session: NewSession, nowMs: StoreInstant): void {
    this.sessions.delete(session.sessionId);
    super.openSession(session, nowMs);
  }
}

class GrantingToTheDead extends Wrong {
  override claim(sessionId: string, groupIds: readonly string[], nowMs: StoreInstant): readonly ClaimResult[] {
    const session = this.sessions.get(sessionId);
    if (!session) return super.claim(sessionId, groupIds, nowMs);
    const { expiresAt } = session;
    session.expiresAt = Math.max(expiresAt, nowMs + 1) as StoreInstant;
    const results = super.claim(sessionId, groupIds, nowMs);
    session.expiresAt = expiresAt;
    return results;
  }
}

class KeepingUntilExpiry extends Wrong {
  override closeSession(sessionId: string): void {
    const session = this.sessions.get(sessionId);
    if (session && session.holds.size === 0) session.isClosed = true;
  }
}

class CountingRefusals extends Wrong {
  override claim(sessionId: string, groupIds: readonly string[], nowMs: StoreInstant): readonly ClaimResult[] {
    const results = super.claim(sessionId, groupIds, nowMs);
    for (const result of results)
      if (result.kind === 'refused' && this.leases.has(result.groupId)) this.leases.get(result.groupId)!.term += 1;
    return results;
  }
}

class RaisingByTwo extends Wrong {
  override release(sessionId: string, leases: readonly LeaseKey[], nowMs: StoreInstant): readonly ReleaseResult[] {
    const results = super.release(sessionId, leases, nowMs);
    for (const result of results) if (result.kind === 'released') this.leases.get(result.groupId)!.term += 1;
    return results;
  }
}

/** The compare-and-set fails for the one who has won it already and whose answer was lost. */
class NotHealing extends Wrong {
  override claim(sessionId: string, groupIds: readonly string[], nowMs: StoreInstant): readonly ClaimResult[] {
    const { expiresAt = 0, memberId = '', releaseCount = 0 } = this.sessions.get(sessionId) ?? {};
    return super.claim(sessionId, groupIds, nowMs).map((result): ClaimResult => {
      if (result.kind !== 'granted' || result.fresh) return result;
      const holder = { sessionId, memberId, term: result.term, remainingMs: expiresAt - nowMs, releaseCount };
      return { kind: 'refused', groupId: result.groupId, reason: 'held', holder };
    });
  }
}

class Stacking extends Wrong {
  readonly #depth = new Map<string, number>();

  override claim(sessionId: string, groupIds: readonly string[], nowMs: StoreInstant): readonly ClaimResult[] {
    const results = super.claim(sessionId, groupIds, nowMs);
    for (const result of results) {
      if (result.kind === 'granted') this.#depth.set(result.groupId, result.fresh ? 1 : this.#depth.get(result.groupId)! + 1);
    }
    return results;
  }

  override release(sessionId: string, leases: readonly LeaseKey[], nowMs: StoreInstant): readonly ReleaseResult[] {
    return leases.flatMap((lease) => {
      const depth = (this.#depth.get(lease.groupId) ?? 1) - 1;
      this.#depth.set(lease.groupId, depth);
      return depth > 0 ? [{ ...lease, kind: 'released' as const }] : super.release(sessionId, [lease], nowMs);
    });
  }
}

class NotCountingGrants extends Wrong {
  override claim(sessionId: string, groupIds: readonly string[], nowMs: StoreInstant): readonly ClaimResult[] {
    const results = super.claim(sessionId, groupIds, nowMs);
    const session = this.sessions.get(sessionId);
    if (session) session.grantCount = session.holds.size;
    return results;
  }
}

class NotCountingReleases extends Wrong {
  override release(sessionId: string, leases: readonly LeaseKey[], nowMs: StoreInstant): readonly ReleaseResult[] {
    const results = super.release(sessionId, leases, nowMs);
    const session = this.sessions.get(sessionId);
    if (session) session.releaseCount = 0;
    return results;
  }
}

class ShowingTheExpired extends Wrong {
  override read(groupIds: readonly string[], nowMs: StoreInstant): readonly LeaseView[] {
    return super.read(groupIds, nowMs).map((view) => {
      const session = this.sessions.get(this.leases.get(view.groupId)?.holderId ?? '');
      if (view.holder || !session || session.isClosed) return view;
      const { sessionId, memberId, expiresAt, releaseCount } = session;
      return { ...view, holder: { sessionId, memberId, term: view.term, remainingMs: expiresAt - nowMs, releaseCount } };
    });
  }
}

class MembersForEver extends Wrong {
  override members(nowMs: StoreInstant): readonly MemberView[] {
    return [...this.sessions.values()]
      .filter((session) => !session.isClosed)
      .map(({ sessionId, memberId, ttlMs, expiresAt, openedAt, metadata }) => ({
        sessionId,
        memberId,
        ttlMs,
        remainingMs: expiresAt - nowMs,
        ageMs: nowMs - openedAt,
        leaseCount: 0,
        contendCount: 0,
        metadata,
      }));
  }
}

class NewestFirst extends Wrong {
  override members(nowMs: StoreInstant): readonly MemberView[] {
    return super.members(nowMs).toReversed();
  }
}

class CountingContenders extends Wrong {
  override read(groupIds: readonly string[], nowMs: StoreInstant): readonly LeaseView[] {
    // Who was closed, or has expired, still contends.
    return super.read(groupIds, nowMs).map((view) => ({ ...view, contenderCount: this.sessions.size }));
  }
}

class RankingHolders extends Wrong {
  override heartbeat({ sessionId, holders }: HeartbeatRequest, nowMs: StoreInstant): HeartbeatResult {
    const rank = super.heartbeat({ sessionId, holders: ['nobody'] }, nowMs);
    const result = super.heartbeat({ sessionId, holders }, nowMs);
    return result.alive && rank.alive ? { ...result, standbyRank: rank.standbyRank } : result;
  }
}

class GroupsOfTheDead extends Wrong {
  override groups(): readonly string[] {
    return [...new Set([...this.sessions.values()].flatMap(({ contends, holds }) => [...contends, ...holds]))];
  }
}

class GroupsThatAreHeld extends Wrong {
  override groups(nowMs: StoreInstant): readonly string[] {
    return super.groups(nowMs).filter((groupId) => this.read([groupId], nowMs)[0]!.holder !== null);
  }
}

class GroupsForEachSession extends Wrong {
  override groups(nowMs: StoreInstant): readonly string[] {
    return [...this.sessions.values()]
      .filter((session) => this.isLive(session, nowMs))
      .flatMap(({ contends, holds }) => [...new Set([...contends, ...holds])]);
  }
}

/** Wrong data, or wrong rules for it. */
export const databaseMutants: readonly Mutant[] = [
  { title: 'a session lives at the instant of its expiry', killedBy: 'L1.4', database: () => new LivingAtExpiry() },
  { title: "the term is raised by the holder's own claim", killedBy: 'L3.1', database: () => new RaisingOnReclaim() },
  { title: 'terms begin again after pruning', killedBy: 'S4.1', database: () => new ForgettingTerms() },
  { title: 'a release matches the group alone', killedBy: 'L3.3', database: () => new ReleasingByGroup() },
  { title: 'a release matches group and session, not the term', killedBy: 'L3.4', database: () => new ReleasingAnyTerm() },
  { title: 'affected rows misread: matched for changed', killedBy: 'L3.4', database: () => new CountingMatchedRows() },
  { title: 'a heartbeat revives an expired session', killedBy: 'S2.1', database: () => new Reviving() },
  { title: 'a heartbeat revives a closed session', killedBy: 'S2.2', database: () => new RevivingTheClosed() },
  { title: 'renewal by the name of the member', killedBy: 'S1.6', database: () => new RenewingByMember() },
  { title: 'a heartbeat is acknowledged and extends nothing', killedBy: 'S1.2', database: () => new RenewingNothing() },
  { title: 'a heartbeat extends by two TTLs', killedBy: 'S1.2', database: () => new RenewingTwice() },
  { title: 'one TTL for all sessions', killedBy: 'S1.4', database: () => new OneTtlForAll() },
  { title: 'sessions end before their TTL is over', killedBy: 'T1.4', database: () => new ExpiringEarly() },
  { title: 'a session is opened a second time', killedBy: 'S1.5', database: () => new Reopening() },
  { title: 'a claim is granted to a dead session', killedBy: 'L1.5', database: () => new GrantingToTheDead() },
  { title: 'a closed session keeps its groups until it expires', killedBy: 'S3.1', database: () => new KeepingUntilExpiry() },
  { title: 'a refused claim raises the term', killedBy: 'L2.1', database: () => new CountingRefusals() },
  { title: 'a release raises the term', killedBy: 'L2.1', database: () => new RaisingByTwo() },
  { title: 'compare-and-set that does not heal a lost reply', killedBy: 'L3.1', database: () => new NotHealing() },
  { title: 'a named lock that stacks', killedBy: 'L3.2', database: () => new Stacking() },
  { title: 'grantCount is the number of leases held', killedBy: 'S1.8', database: () => new NotCountingGrants() },
  { title: 'releaseCount stays 0', killedBy: 'S1.9', database: () => new NotCountingReleases() },
  { title: 'read shows an expired holder', killedBy: 'L1.4', database: () => new ShowingTheExpired() },
  { title: 'members() without expiry', killedBy: 'S4.2', database: () => new MembersForEver() },
  { title: 'groups() without expiry', killedBy: 'S5.1', database: () => new GroupsOfTheDead() },
  { title: 'groups() without those that nobody leads', killedBy: 'S5.1', database: () => new GroupsThatAreHeld() },
  { title: 'groups() names a group once for each session', killedBy: 'S5.1', database: () => new GroupsForEachSession() },
  { title: 'members() in the wrong order', killedBy: 'S1.11', database: () => new NewestFirst() },
  { title: 'the dead are counted as contenders', killedBy: 'L1.6', database: () => new CountingContenders() },
  { title: 'standbyRank counts the holders', killedBy: 'S1.10', database: () => new RankingHolders() },
];
