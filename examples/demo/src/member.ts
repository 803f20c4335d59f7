/**
 * The program that every member runs: it stands by, and settles orders while it leads. `node member.js <memberId> <filename> <fenced|unfenced>`, started by
 * the driver with a channel to talk to.
 */
import { createCoordinator, type GroupReason } from '@wb/core';
import { sqliteLeaseStore } from '@wb/sqlite';
import { settleOrders } from './leader-work.js';
import { nowMs } from './machine-time.js';
import type { DriverMessage, MemberMessage } from './messages.js';
import { openOrdersDatabase } from './orders-database.js';
import { Pace } from './pace.js';
import { GROUP_ID, HEARTBEAT_MS, ORDERS_PER_SECOND, TTL_MS } from './settings.js';

const [memberId = '', filename = '', mode] = process.argv.slice(2);
const tell = (message: MemberMessage): void => void process.send?.(message);

// The coordinator's connection and that of the orders are two: a fence needs no more than a place in the same database.
const database = openOrdersDatabase(filename);
const pace = new Pace(ORDERS_PER_SECOND);
const coordinator = createCoordinator({
  store: () => sqliteLeaseStore({ filename }),
  memberId,
  ttlMs: TTL_MS,
  heartbeatMs: HEARTBEAT_MS,
  metadata: { pid: String(process.pid) },
});

let claimReason: GroupReason = 'free';
coordinator.on('group', ({ to, reason }) => {
  if (to === 'claiming') claimReason = reason;
  if (to === 'standby' && reason === 'held') tell({ kind: 'stands-by' });
});
coordinator.on('store-fault', ({ operation, error }) => tell({ kind: 'store-fault', text: `${operation}: ${error.message}` }));

process.on('message', ({ kind }: DriverMessage) => {
  if (kind === 'resign') void coordinator.resign(GROUP_ID);
  else if (kind === 'full-speed') pace.goFullSpeed();
  else void leave();
});
// Ctrl-C reaches every process of the terminal. The driver alone decides what follows.
process.on('SIGINT', () => undefined);
// The driver is gone: nobody would ever end this process.
process.on('disconnect', () => process.exit(1));

await coordinator.lead(GROUP_ID, async (context) => {
  // Before anything else: this is the instant that the takeover is measured to.
  tell({ kind: 'leads', term: context.term, atMs: nowMs(), reason: claimReason });
  await settleOrders(context, { database, pace, isFenced: mode !== 'unfenced', tell });
});

async function leave(): Promise<void> {
  await coordinator.close();
  database.close();
  process.removeAllListeners('disconnect');
  process.disconnect();
}
