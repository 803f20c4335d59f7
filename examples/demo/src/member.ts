/**
 * The program that every member runs: it stands by, and settles orders while it leads. `node member.js <memberId> <Place as JSON> <fenced|unfenced>`, started by
 * the driver with a channel to talk to.
 */
import { createCoordinator, type GroupReason } from '@wb/core';
import { settleOrders } from './leader-work.js';
import { nowMs } from './machine-time.js';
import type { DriverMessage, MemberMessage } from './messages.js';
import { Pace } from './pace.js';
import { GROUP_ID, HEARTBEAT_MS, ORDERS_PER_SECOND, ORDERS_PER_TRANSACTION, TTL_MS } from './settings.js';
import { targets } from './targets/index.js';
import type { Place } from './targets/target.js';

const [memberId = '', placeJson = '', mode] = process.argv.slice(2);
const place = JSON.parse(placeJson) as Place;
const tell = (message: MemberMessage): void => void process.send?.(message);

const target = targets[place.target];
// The store and the orders are in one database: that is what a fence needs.
const store = target.open(place);
const connection = await target.connect(place);
const pace = new Pace(ORDERS_PER_SECOND / ORDERS_PER_TRANSACTION);
const coordinator = createCoordinator({
  store: () => store.store,
  memberId,
  ttlMs: TTL_MS,
  heartbeatMs: HEARTBEAT_MS,
  metadata: { pid: String(process.pid) },
});

let claimReason: GroupReason = 'free';
coordinator.on('group', ({ to, reason }) => {
  if (to === 'claiming') claimReason = reason;
  if (to === 'standby') tell({ kind: 'stands-by' });
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
  await settleOrders(context, { place, store, connection, pace, isFenced: mode !== 'unfenced', tell });
});

async function leave(): Promise<void> {
  await coordinator.close();
  await connection[Symbol.asyncDispose]();
  process.removeAllListeners('disconnect');
  process.disconnect();
}
