import { StoreError, type LeaseKey, type LeaseRelease } from '@wb/core';
import { sortedTexts } from './batch-part.js';
import type { Call, MysqlClient } from './mysql-client.js';
import type { StoreSql } from './mysql-lease-store.js';

/**
 * Releases one part of a batch, sorted and without duplicates; resolves to those that it has freed. A lease whose row someone holds back (a fenced transaction that has not ended yet)
 * is tried again until the call ends: the answer must be definite.
 */
export async function releasePart(
  client: MysqlClient,
  call: Call,
  sql: StoreSql,
  sessionId: string,
  part: readonly LeaseRelease[],
): Promise<readonly LeaseKey[]> {
  const freed: LeaseKey[] = [];
  let open = part;
  await client.repeat(call, async () => {
    const leases = JSON.stringify(open.map(({ groupId, term }) => [groupId, term]));
    const groupIds = sortedTexts(new Set(open.map(({ groupId }) => groupId)));
    const ends = JSON.stringify(open.map(({ groupId, term, reason = 'released' }) => [groupId, term, reason]));
    const [, , before, , , , , , , , after] = await client.run(call, 'write', [
      sql.lockSession({ sessionId }),
      sql.settleSession({ sessionId }),
      sql.heldExactly({ sessionId, leases }),
      sql.countHeldBefore({ sessionId, leases }),
      sql.takeLeases(groupIds),
      sql.release({ sessionId, leases }),
      sql.countHeldAfter({ sessionId, leases }),
      sql.countReleases({ sessionId }),
      sql.findReleased({ sessionId, leases: ends }),
      sql.endReleased({ sessionId }),
      sql.heldExactly({ sessionId, leases }),
    ]);
    const stuck = new Set(after.map(({ place }) => place));
    for (const { place } of before) if (!stuck.has(place)) freed.push(open[place - 1]!);
    open = open.filter((_lease, at) => stuck.has(at + 1));
    if (open.length === 0) return;
    throw new StoreError(
      'STORE_BUSY',
      `\`release\` has to wait: a transaction holds the lease of ${open.length} group(s), such as ${JSON.stringify(open[0]!.groupId)}`,
      { isRetryable: true, outcome: freed.length === 0 ? 'none' : 'unknown' },
    );
  });
  return freed;
}
