/**
 * The program that every node runs: `node dist/node.js FILE MEMBER`. **Read this to see how the library is used.**
 */
import { createCoordinator } from '@wb/core';
import { schedule } from '@wb/schedule';
import { sqliteLeaseStore, type SqliteTransaction } from '@wb/sqlite';
import type { Begun } from './begun.js';
import { createOrders, sendOrder } from './orders.js';
import { GROUP, INTERVAL_MS, JOB, ORDER_COUNT, TTL_MS } from './settings.js';

const [filename, memberId] = process.argv.slice(2);
if (filename === undefined || memberId === undefined) {
  console.error('usage: node dist/node.js FILE MEMBER');
  process.exit(2);
}

createOrders(filename);
const coordinator = createCoordinator({ store: () => sqliteLeaseStore({ filename }), memberId, ttlMs: TTL_MS });

const job = schedule<SqliteTransaction>(
  coordinator,
  {
    group: GROUP,
    job: JOB,
    every: INTERVAL_MS,
    maxCount: ORDER_COUNT,
    // What came while nobody led is sent late, in order; what ran when its leader died is begun again.
    onMisfire: 'run-all',
    misfireLimit: 100,
    onInterrupted: 'rerun',
    retry: { maxAttempts: 3, intervalMs: 100, backoff: 'EXPONENTIAL', maxIntervalMs: 1_000 },
    timeoutMs: 5_000,
  },
  async ({ scheduledAt, occurrence, term, cause, isRerun, fenced }) => {
    process.send?.({ occurrence, isRerun, memberId } satisfies Begun);
    await fenced((transaction) => sendOrder(transaction, { scheduledAtMs: scheduledAt.getTime(), occurrence, member: memberId, term }));
    console.log(`${memberId}, term ${term}: order ${occurrence}${cause === 'schedule' ? '' : ` (${cause})`}${isRerun ? ' (rerun)' : ''}`);
  },
);

for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => void job.stop());
const { reason } = await job.done;
await coordinator.close();
console.log(`${memberId}: ${reason}`);
if (process.connected) process.disconnect();
