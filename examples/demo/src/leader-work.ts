import { LeadershipEndedError, type GroupReason, type WorkContext } from '@wb/core';
import type Database from 'better-sqlite3';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { nowMs } from './machine-time.js';
import type { MemberMessage } from './messages.js';
import { openOrders, type Order } from './orders-database.js';
import type { Pace } from './pace.js';
import { orderSettler, type SettleOutcome } from './settle-order.js';

/** What a leader needs for its work. */
export interface LeaderTools {
  readonly database: Database.Database;
  readonly pace: Pace;
  readonly isFenced: boolean;
  readonly tell: (message: MemberMessage) => void;
}

/** The leader's work: settles one order after the other until leadership ends. */
export async function settleOrders({ groupId, term, memberId, signal, lease }: WorkContext, tools: LeaderTools): Promise<void> {
  const { database, pace, isFenced, tell } = tools;
  const settle = orderSettler(database, memberId, { groupId, term, sessionId: lease.sessionId }, isFenced);
  // Read once, after the grant: every commit of the earlier terms is in it. A list from *before* a freeze is stale afterwards, as work in hand always is.
  const waiting = openOrders(database)[Symbol.iterator]();
  let order = next(waiting);

  pace.start();
  // The signal says that somebody wants it to end, `isHeld()` that it has ended: also at the first moment after a freeze, before the signal has fired.
  while (order !== undefined && !signal.aborted && lease.isHeld()) {
    const outcome = settle(order);
    if (outcome === 'refused') break;
    if (outcome === 'settled') order = next(waiting);
    await pace.nextTurn();
  }
  if (order === undefined) {
    tell({ kind: 'drained', term });
    // To return would end the leadership, and the next member would be elected to find nothing.
    if (!signal.aborted) await once(signal, 'abort');
    return;
  }

  const atMs = nowMs();
  if (!signal.aborted) await once(signal, 'abort');
  const reason = endReason(signal);
  tell({ kind: 'stopped', term, atMs, reason });
  if (reason === 'lost-trust' || reason === 'expired') await writeLate(term, order, settle, tell);
}

/**
 * A program with a bug, on purpose: its term is over, and it settles the next order of its stale list none the less. The aborted signal is only advice; the
 * fence is what stops those who do not take it.
 */
async function writeLate(
  term: number,
  order: Order,
  settle: (order: Order) => SettleOutcome,
  tell: (message: MemberMessage) => void,
): Promise<void> {
  let outcome = settle(order);
  for (; outcome === 'busy'; outcome = settle(order)) await setTimeout(1);
  tell({ kind: 'late-write', term, orderId: order.orderId, outcome });
}

function next(orders: Iterator<Order>): Order | undefined {
  const { value, done } = orders.next();
  return done === true ? undefined : value;
}

function endReason(signal: AbortSignal): GroupReason {
  const reason: unknown = signal.reason;
  if (reason instanceof LeadershipEndedError) return reason.reason;
  throw reason;
}
