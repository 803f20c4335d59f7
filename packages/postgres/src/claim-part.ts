import { afterSome } from './batch-parts.js';
import type { ClaimRow } from './postgres-claim-sql.js';

/**
 * Claims one part of a batch, and looks a second time at what was `busy`: at a new snapshot, that knows who has been granted it a moment ago, and what the claimant itself was granted by a
 * claim that it gave up. What is still busy then is held back by someone who takes their time.
 */
export async function claimPart(
  claim: (groupIds: readonly string[]) => Promise<readonly ClaimRow[]>,
  part: readonly string[],
): Promise<readonly ClaimRow[]> {
  const rows = await claim(part);
  const busy = rows.filter(({ kind }) => kind === 'busy').map(({ groupId }) => groupId);
  if (busy.length === 0) return rows;
  const settled = rows.filter(({ kind }) => kind !== 'busy');
  try {
    return [...settled, ...(await claim(busy))];
  } catch (error) {
    throw settled.some(({ kind }) => kind === 'fresh') ? afterSome(error) : error;
  }
}

/** What a session that is given up is told of a group. */
export function sessionDeadRow(groupId: string): ClaimRow {
  return { groupId, kind: 'session-dead', term: null, sessionId: null, memberId: null, remainingMs: null, releaseCount: null };
}
