import type { ClaimResult, LeaseHolder } from '@wb/core';
import type { ClaimRow, LeaseRow } from './postgres-claim-sql.js';

/** What a claim's row says of its group. */
export function toClaimResult(groupId: string, row: ClaimRow): ClaimResult {
  switch (row.kind) {
    case 'fresh':
    case 'again':
      return { kind: 'granted', groupId, term: Number(row.term), fresh: row.kind === 'fresh' };
    case 'held': {
      const holder = holderOf(row);
      // Without a holder that can be named it is nobody's refusal.
      return holder === null ? { kind: 'refused', groupId, reason: 'busy' } : { kind: 'refused', groupId, reason: 'held', holder };
    }
    case 'busy':
    case 'session-dead':
      return { kind: 'refused', groupId, reason: row.kind };
  }
}

/** The live holder of a lease, or `null`. */
export function holderOf({ term, sessionId, memberId, remainingMs, releaseCount }: LeaseRow): LeaseHolder | null {
  if (term === null || sessionId === null || memberId === null || remainingMs === null || releaseCount === null) return null;
  return { sessionId, memberId, term: Number(term), remainingMs: Number(remainingMs), releaseCount: Number(releaseCount) };
}
