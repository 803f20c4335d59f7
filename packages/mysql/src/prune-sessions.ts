import { StoreError } from '@wb/core';
import { sortedTexts } from './batch-part.js';
import type { Call, MysqlClient } from './mysql-client.js';
import type { StoreSql } from './mysql-lease-store.js';

/** How much one `openSession` prunes: bounded, because someone waits for it. */
export const PRUNED_SESSIONS = 16;
const PRUNED_ROWS = 1_000;

/** Forgets what has been dead for long (S4, F19): a bounded piece of it, and the session last, so that nothing is left that points to nowhere. Never fails: the next one goes on. */
export async function pruneSessions(client: MysqlClient, call: Call, sql: StoreSql, dead: readonly string[]): Promise<void> {
  if (dead.length === 0) return;
  const sessionIds = JSON.stringify(dead);
  try {
    const [leases] = await client.run(call, 'read', [sql.leasesOf({ sessionIds, limit: PRUNED_ROWS })]);
    await client.run(call, 'write', [
      sql.takeLeases(sortedTexts(leases.map(({ groupId }) => groupId))),
      sql.findDead({ sessionIds }),
      sql.endDead({}),
      sql.clearLeases({ sessionIds }),
      ...dead.map((sessionId) => sql.clearContenders({ sessionId, limit: PRUNED_ROWS })),
      sql.deleteSessions({ sessionIds }),
    ]);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
  }
}
