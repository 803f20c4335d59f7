import { setTimeout } from 'node:timers/promises';
import { milliseconds } from './check.js';
import type { Fleet } from './fleet.js';
import { freezeMember } from './freeze.js';
import { nowMs } from './machine-time.js';
import { countSettlements } from './orders-database.js';
import { EXPIRY_LIMIT_MS, HEARTBEAT_MS, MEMBER_IDS, ORDERS_PER_EVENT, ORDERS_PER_SECOND, RESIGN_LIMIT_MS } from './settings.js';
import type { Leadership, TakeoverLog } from './takeover-log.js';
import { targets } from './targets/index.js';
import type { Connection, Place } from './targets/target.js';
import type { Timeline } from './timeline.js';
import type { PlayResult } from './verdict.js';

/** Who and what plays. */
export interface Stage {
  readonly fleet: Fleet;
  readonly place: Place;
  readonly connection: Connection;
  readonly isFenced: boolean;
  readonly log: TakeoverLog;
  readonly timeline: Timeline;
  readonly signal: AbortSignal;
}

/** How much a successor settles before the frozen leader is thawed: its list must be well out of date. */
const ORDERS_WHILE_FROZEN = 500;

/** The play: a crash, a freeze, a resignation, and the rest of the orders. */
export async function play(stage: Stage): Promise<PlayResult> {
  const { fleet, log } = stage;
  for (const memberId of MEMBER_IDS) start(stage, memberId);
  await nextLeader(stage, 0);
  await Promise.all(MEMBER_IDS.filter((memberId) => memberId !== log.current.memberId).map((memberId) => standsBy(stage, memberId, 0)));

  await settled(stage, ordersBeforeEvent());
  await crash(stage);
  await settled(stage, ordersBeforeEvent());
  const { thawed, lateWrite } = await freezeAndThaw(stage);
  await settled(stage, ordersBeforeEvent());
  await resign(stage);

  // Only now, and not at the start: whoever led at full speed would be done before the first event.
  await settled(stage, ORDERS_WHILE_FROZEN);
  fleet.tellAll({ kind: 'full-speed' });
  const lastId = await fleet.until('the last order', 0, ({ memberId, message }) => (message.kind === 'drained' ? memberId : undefined));
  return { takeovers: log.takeovers, thawed, lateWrite, ends: await fleet.dismiss(lastId) };
}

/** A different moment between two heartbeats each time: a takeover takes longest just after one. */
function ordersBeforeEvent(): number {
  return Math.round(ORDERS_PER_EVENT + (Math.random() * ORDERS_PER_SECOND * HEARTBEAT_MS) / 1_000);
}

async function crash(stage: Stage): Promise<void> {
  const { fleet, log, timeline } = stage;
  const { memberId, term } = log.current;
  const victim = fleet.member(memberId);
  victim.mayEnd = true;
  log.struck({ cause: 'SIGKILL', memberId, term, limitMs: EXPIRY_LIMIT_MS, atMs: nowMs() });
  victim.signal('SIGKILL');
  timeline.member(memberId, '✗', 'is killed: SIGKILL');
  await nextLeader(stage, term);
  await victim.ended;
  const from = fleet.reportCount;
  start(stage, memberId);
  await standsBy(stage, memberId, from);
}

async function freezeAndThaw(stage: Stage): Promise<Pick<PlayResult, 'thawed' | 'lateWrite'>> {
  const { fleet, place, connection, isFenced, log, timeline, signal } = stage;
  const { memberId, term } = log.current;
  const member = fleet.member(memberId);
  const { atMs, attemptCount } = await freezeMember(member, connection, isFenced && targets[place.target].endsFrozenTransactions, signal);
  log.struck({ cause: 'SIGSTOP', memberId, term, limitMs: EXPIRY_LIMIT_MS, atMs });
  timeline.member(
    memberId,
    '‖',
    `is frozen: SIGSTOP${attemptCount === 1 ? '' : ` (attempt ${attemptCount}: it was inside a transaction)`}`,
  );
  await nextLeader(stage, term);
  await settled(stage, ORDERS_WHILE_FROZEN);

  const thawedAtMs = nowMs();
  const from = fleet.reportCount;
  member.signal('SIGCONT');
  timeline.member(memberId, '▸', `is thawed: SIGCONT, after ${milliseconds(thawedAtMs - atMs)}`);
  const stopped = await fleet.until(`${memberId} stops`, from, ({ message }) =>
    message.kind === 'stopped' && message.term === term ? message : undefined,
  );
  const late = await fleet.until(`the late write of ${memberId}`, from, ({ message }) =>
    message.kind === 'late-write' && message.term === term ? message : undefined,
  );
  await standsBy(stage, memberId, from);
  return { thawed: { noticedAfterMs: stopped.atMs - thawedAtMs, reason: stopped.reason }, lateWrite: late.outcome };
}

async function resign(stage: Stage): Promise<void> {
  const { fleet, log, timeline } = stage;
  const { memberId, term } = log.current;
  log.struck({ cause: 'resign', memberId, term, limitMs: RESIGN_LIMIT_MS, atMs: nowMs() });
  fleet.member(memberId).send({ kind: 'resign' });
  timeline.member(memberId, '↓', 'is asked to resign');
  const from = fleet.reportCount;
  await nextLeader(stage, term);
  await standsBy(stage, memberId, from);
}

function start({ fleet, timeline }: Stage, memberId: string): void {
  const { pid } = fleet.start(memberId);
  timeline.member(memberId, '+', `starts (pid ${pid})`);
}

async function nextLeader({ fleet }: Stage, afterTerm: number): Promise<Leadership> {
  return await fleet.until(`a leader after term ${afterTerm}`, 0, ({ memberId, message }) =>
    message.kind === 'leads' && message.term > afterTerm ? { memberId, ...message } : undefined,
  );
}

async function standsBy({ fleet }: Stage, memberId: string, from: number): Promise<void> {
  await fleet.until(`${memberId} stands by`, from, (report) =>
    report.memberId === memberId && report.message.kind === 'stands-by' ? true : undefined,
  );
}

/** Resolves when `orderCount` more orders are settled. */
async function settled({ connection, place, signal }: Stage, orderCount: number): Promise<void> {
  const goal = (await countSettlements(connection, place)) + orderCount;
  while ((await countSettlements(connection, place)) < goal) await setTimeout(20, undefined, { signal });
}
