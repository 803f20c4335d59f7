import { LeadershipEndedError, type GroupReason, type WorkContext } from '@wb/core';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { nowMs } from './machine-time.js';
import type { MemberMessage } from './messages.js';
import { openOrders, type Order } from './orders-database.js';
import type { Pace } from './pace.js';
import { ORDERS_PER_TRANSACTION } from './settings.js';
import { orderSettler, type Settle, type Settler } from './settle-orders.js';

/** What a leader needs for its work. */
export interface LeaderTools extends Omit<Settler, 'lease' | 'memberId'> {
  readonly pace: Pace;
  readonly tell: (message: MemberMessage) => void;
}

/** The leader's work: settles orders, a few at a time, until leadership ends. */
export async function settleOrders(context: WorkContext, tools: LeaderTools): Promise<void> {
  const { groupId, term, memberId, signal, lease } = context;
  const { place, connection, pace, tell } = tools;
  // The plain facts of the lease, and not the lease itself, which would refuse by its own clock before the database is asked: here the database shall be seen to refuse.
  const settle = orderSettler({ ...tools, memberId, lease: { groupId, term, sessionId: lease.sessionId } });
  // Read once, after the grant: every commit of the earlier terms is in it. A list from *before* a freeze is stale afterwards, as work in hand always is.
  const waiting = [...(await openOrders(connection, place))];

  pace.start();
  // The signal says that somebody wants it to end, `isHeld()` that it has ended: also at the first moment after a freeze, before the signal has fired.
  while (waiting.length > 0 && !signal.aborted && lease.isHeld()) {
    const outcome = await settleWhileHeld(context, settle, waiting.slice(0, ORDERS_PER_TRANSACTION));
    if (outcome === 'refused') break;
    if (outcome === 'settled') waiting.splice(0, ORDERS_PER_TRANSACTION);
    await pace.nextTurn();
  }
  if (waiting.length === 0) {
    tell({ kind: 'drained', term });
    // To return would end the leadership, and the next member would be elected to find nothing.
    if (!signal.aborted) await once(signal, 'abort');
    return;
  }

  const atMs = nowMs();
  if (!signal.aborted) await once(signal, 'abort');
  const reason = endReason(signal);
  tell({ kind: 'stopped', term, atMs, reason });
  if (reason === 'lost-trust' || reason === 'expired') await writeLate(term, waiting.slice(0, 1), settle, tell);
}

/** A fault in a term that is over needs no explanation: the server has ended the transaction of a process that was frozen. */
async function settleWhileHeld({ lease }: WorkContext, settle: Settle, due: readonly Order[]): Promise<'settled' | 'refused' | 'busy'> {
  try {
    return await settle(due);
  } catch (error) {
    if (lease.isHeld()) throw error;
    return 'refused';
  }
}

/**
 * A program with a bug, on purpose: its term is over, and it settles the next order of its stale list none the less. The aborted signal is only advice; the
 * fence is what stops those who do not take it.
 */
async function writeLate(term: number, stale: readonly Order[], settle: Settle, tell: (message: MemberMessage) => void): Promise<void> {
  let outcome = await settle(stale);
  for (; outcome === 'busy'; outcome = await settle(stale)) await setTimeout(1);
  tell({ kind: 'late-write', term, orderId: stale[0]!.orderId, outcome });
}

function endReason(signal: AbortSignal): GroupReason {
  const reason: unknown = signal.reason;
  if (reason instanceof LeadershipEndedError) return reason.reason;
  throw reason;
}
