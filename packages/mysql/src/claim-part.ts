import { MAX_TERM_RECORDS, type ClaimResult, type LeaseHolder } from '@wb/core';
import { sortedTexts } from './batch-part.js';
import type { LeaseRow } from './mysql-claim-sql.js';
import type { Call, MysqlClient } from './mysql-client.js';
import type { StoreSql } from './mysql-lease-store.js';

/**
 * The claim of one part of a batch, sorted and without duplicates.
 *
 * First a look, without any lock: what a live session holds is refused, or granted again (L3), by that one snapshot, so that waiting for a leader takes no lock that the leader needs.
 * What seems free, and everything if the claimant seems to have expired, is claimed in one transaction that decides anew.
 */
export async function claimPart(
  client: MysqlClient,
  call: Call,
  sql: StoreSql,
  sessionId: string,
  part: readonly string[],
  isLostOn: (server: string) => Promise<boolean>,
): Promise<readonly ClaimResult[]> {
  const [sessions, seen] = await client.run(call, 'read', [sql.liveSession({ sessionId }), sql.leases({ groupIds: JSON.stringify(part) })]);
  const own = sessions[0];
  // Closed or unknown is for good. Expired is not yet: a heartbeat may be under way.
  if (own === undefined || own.closed !== 0 || (await isLostOn(own.server))) return part.map(sessionDead);
  const rows = inPlaces(seen, part.length);
  const results = rows.map((row, at) => (own.isLive === 1 ? settledAnswer(row, part[at]!, sessionId) : null));
  const open = part.flatMap((groupId, at) => (results[at] === null ? [{ groupId, row: rows[at]! }] : []));
  if (open.length === 0) return results as ClaimResult[];
  const claimed = await claimOpen(client, call, sql, sessionId, open, isLostOn);
  let next = 0;
  return results.map((result) => result ?? claimed[next++]!);
}

/** The answer for a group that a live session holds. `null`: it has to be claimed. */
function settledAnswer(row: LeaseRow, groupId: string, sessionId: string): ClaimResult | null {
  const holder = holderOf(row);
  if (holder === null || row.isOdd === 1) return null;
  if (holder.sessionId === sessionId) return { kind: 'granted', groupId, term: holder.term, fresh: false };
  return { kind: 'refused', groupId, reason: 'held', holder };
}

async function claimOpen(
  client: MysqlClient,
  call: Call,
  sql: StoreSql,
  sessionId: string,
  open: readonly { readonly groupId: string; readonly row: LeaseRow }[],
  isLostOn: (server: string) => Promise<boolean>,
): Promise<readonly ClaimResult[]> {
  const groupIds = JSON.stringify(open.map(({ groupId }) => groupId));
  const missing = open.filter(({ row }) => row.term === null).map(({ groupId }) => groupId);
  const present = open.filter(({ row }) => row.term !== null).map(({ groupId }) => groupId);
  const suspects = sortedTexts(new Set(open.flatMap(({ row }) => (row.sessionId === null ? [] : [row.sessionId]))));
  // What has no work to do is left out: each statement costs a twentieth of the claim. Others may grant between the look and the lock: terms are counted with room to spare.
  const isOld = open.some(({ row }) => (row.term ?? 0) > MAX_TERM_RECORDS / 2);
  const [, , , before, , , , , , , , , , own, seen] = await client.run(call, 'write', [
    sql.lockSession({ sessionId }),
    suspects.length === 0 ? null : sql.settleSessions({ sessionIds: JSON.stringify(suspects) }),
    // After the last wait for a lock: the claimant may have expired in the meantime (T10).
    sql.settleSession({ sessionId }),
    sql.mine({ sessionId, groupIds }),
    sql.countBefore({ sessionId, groupIds }),
    missing.length === 0 ? null : sql.grantNew({ sessionId, groupIds: JSON.stringify(missing) }),
    present.length === 0 ? null : sql.takeLeases(present),
    present.length === 0 ? null : sql.grantFree({ sessionId }),
    sql.countAfter({ sessionId, groupIds }),
    sql.countGrants({ sessionId }),
    sql.recordTerms({ sessionId, groupIds }),
    isOld ? sql.findOldTerms({ sessionId, groupIds }) : null,
    isOld ? sql.forgetTerms({}) : null,
    sql.own({ sessionId }),
    sql.leases({ groupIds }),
  ]);
  if (own[0] === undefined || own[0].closed !== 0 || (await isLostOn(own[0].server)))
    return open.map(({ groupId }) => sessionDead(groupId));
  const wasMine = new Set(before.map(({ place }) => place));
  return inPlaces(seen, open.length).map((row, at): ClaimResult => {
    const { groupId } = open[at]!;
    // Not by its holder's clock: under its lock the claimant is live until the commit.
    if (row.sessionId === sessionId) return { kind: 'granted', groupId, term: row.term!, fresh: !wasMine.has(at + 1) };
    const holder = holderOf(row);
    // Neither granted nor held: something has its row, or its holder has died since this transaction judged it.
    return holder === null ? { kind: 'refused', groupId, reason: 'busy' } : { kind: 'refused', groupId, reason: 'held', holder };
  });
}

/** The live holder of a lease, or `null`. */
export function holderOf({ term, sessionId, memberId, isLive, remainingMs, releaseCount }: LeaseRow): LeaseHolder | null {
  if (isLive !== 1 || term === null || sessionId === null || memberId === null || remainingMs === null || releaseCount === null)
    return null;
  // The clock is read for every column: it may have passed the expiry in between.
  return { sessionId, memberId, term, remainingMs: Math.max(remainingMs, 1), releaseCount };
}

/** The rows in the order of the request: the server is free to send them in any. */
export function inPlaces<Row extends { readonly place: number }>(rows: readonly Row[], count: number): Row[] {
  const sorted: Row[] = [];
  sorted.length = count;
  for (const row of rows) sorted[row.place - 1] = row;
  return sorted;
}

function sessionDead(groupId: string): ClaimResult {
  return { kind: 'refused', groupId, reason: 'session-dead' };
}
