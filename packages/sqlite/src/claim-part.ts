import type { ClaimResult, LeaseHolder } from '@wb/core';
import type { LeaseRow } from './sqlite-claim-sql.js';
import type { StoreStatements } from './sqlite-statements.js';

/** The claim of one part of a batch: to be run inside one write transaction, which makes the whole part one step (L1–L4). */
export function claimPart(statements: StoreStatements, sessionId: string, part: readonly string[], nowMs: number): readonly ClaimResult[] {
  statements.settleSessions.run({ nowMs });
  // Anew in every part: between two of them the session may have died (T10).
  if (statements.liveSession.get({ sessionId, nowMs }) === undefined) {
    return part.map((groupId): ClaimResult => ({ kind: 'refused', groupId, reason: 'session-dead' }));
  }
  const groupIds = JSON.stringify(part);
  const granted = new Map(statements.claim.all({ sessionId, groupIds, nowMs }).map(({ groupId, term }) => [groupId, term]));
  if (granted.size > 0) {
    statements.countGrants.run({ sessionId, count: granted.size });
    const grants = JSON.stringify([...granted]);
    statements.recordTerms.run({ sessionId, grants, nowMs });
    statements.forgetTerms.run({ grants });
  }
  const leases = granted.size === part.length ? [] : statements.leases.all({ groupIds, nowMs });
  return part.map((groupId, key): ClaimResult => {
    const term = granted.get(groupId);
    if (term !== undefined) {
      // A duplicate of the group in the part is a claim by its holder.
      granted.delete(groupId);
      return { kind: 'granted', groupId, term, fresh: true };
    }
    const holder = holderOf(leases[key]!);
    // After the claim nothing is free: whoever is not the claimant was there before.
    if (holder === null) throw new Error(`group ${JSON.stringify(groupId)} was neither granted nor is it held`);
    if (holder.sessionId === sessionId) return { kind: 'granted', groupId, term: holder.term, fresh: false };
    return { kind: 'refused', groupId, reason: 'held', holder };
  });
}

/** The live holder of a lease, or `null`. */
export function holderOf({ term, sessionId, memberId, remainingMs, releaseCount }: LeaseRow): LeaseHolder | null {
  if (term === null || sessionId === null || memberId === null || remainingMs === null || releaseCount === null) return null;
  return { sessionId, memberId, term, remainingMs, releaseCount };
}
