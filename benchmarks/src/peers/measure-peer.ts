import { pause } from '../measure/clock.js';
import type { PeerName } from './index.js';
import type { Operation, OperationCost, PeerStart } from './messages.js';
import { PeerProcess } from './peer-process.js';

export const PEER_TTL_MS = 2_000;

/** How much is measured of each peer. */
export interface PeerPlan {
  /** Groups that one process holds. */
  readonly heldCount: number;
  /** How long it is looked at, in ms. */
  readonly windowMs: number;
  /** Groups that are acquired, looked at and released, one after the other. */
  readonly operationCount: number;
  readonly handOverCount: number;
  readonly crashCount: number;
}

/** What a process does while nothing happens, in a second. */
export interface Idle {
  readonly calls: number;
  readonly cpuMs: number;
}

export interface PeerFigures {
  readonly operations: Readonly<Record<Operation, OperationCost>>;
  /** Of a process that holds nothing, of one that holds `heldCount` groups, and of a standby of one group. */
  readonly nothing: Idle;
  readonly holder: Idle;
  readonly standby: Idle;
  readonly heldCount: number;
  /** From the end of the old leader to the begin of the new one, in ms. */
  readonly handOversMs: readonly number[];
  readonly crashesMs: readonly number[];
}

export async function measurePeer(
  place: { readonly peer: PeerName; readonly url: string; readonly namespace: string },
  plan: PeerPlan,
): Promise<PeerFigures> {
  const start: Omit<PeerStart, 'memberId'> = { ...place, ttlMs: PEER_TTL_MS };
  const processes: PeerProcess[] = [];
  const open = async (memberId: string): Promise<PeerProcess> => {
    const opened = new PeerProcess({ ...start, memberId });
    processes.push(opened);
    return await opened.ready();
  };
  try {
    const one = await open('one');
    const { costs } = await one.ask({ kind: 'operate', count: plan.operationCount }, 'operated');
    const nothing = await idle(one, plan.windowMs);
    await one.ask({ kind: 'hold', count: plan.heldCount }, 'holds');
    await pause(PEER_TTL_MS);
    const holder = await idle(one, plan.windowMs);
    await one.kill();
    return { operations: costs, nothing, holder, heldCount: plan.heldCount, ...(await measureFailover(open, plan)) };
  } finally {
    await Promise.all(processes.map((each) => each.kill()));
  }
}

async function measureFailover(
  open: (memberId: string) => Promise<PeerProcess>,
  plan: PeerPlan,
): Promise<Pick<PeerFigures, 'standby' | 'handOversMs' | 'crashesMs'>> {
  let startedCount = 0;
  let leader = await open('leader');
  await leader.ask({ kind: 'contend' }, 'leads');
  const reinforce = async (): Promise<{ process: PeerProcess; leads: Promise<{ readonly atMs: number }> }> => {
    startedCount += 1;
    const standby = await open(`standby-${startedCount}`);
    const leads = standby.ask({ kind: 'contend' }, 'leads');
    leads.catch(() => undefined);
    // Until it has been refused, and waits.
    await pause(PEER_TTL_MS / 4);
    return { process: standby, leads };
  };
  let next = await reinforce();
  const standby = await idle(next.process, plan.windowMs);
  const handOversMs: number[] = [];
  while (handOversMs.length < plan.handOverCount) {
    // At some moment between two looks of the other.
    await pause(Math.random() * 300);
    const { atMs: stoppedAtMs } = await leader.ask({ kind: 'resign' }, 'stopped');
    handOversMs.push((await next.leads).atMs - stoppedAtMs);
    await leader.kill();
    leader = next.process;
    next = await reinforce();
  }
  const crashesMs: number[] = [];
  while (crashesMs.length < plan.crashCount) {
    // At some moment between two of its signs of life.
    await pause(PEER_TTL_MS / 2 + Math.random() * PEER_TTL_MS);
    const killedAtMs = Number(process.hrtime.bigint()) / 1_000_000;
    await leader.kill();
    crashesMs.push((await next.leads).atMs - killedAtMs);
    leader = next.process;
    if (crashesMs.length < plan.crashCount) next = await reinforce();
  }
  return { standby, handOversMs, crashesMs };
}

async function idle(process: PeerProcess, windowMs: number): Promise<Idle> {
  const before = await process.ask({ kind: 'usage' }, 'usage');
  await pause(windowMs);
  const after = await process.ask({ kind: 'usage' }, 'usage');
  const seconds = (after.atMs - before.atMs) / 1_000;
  return { calls: (after.callCount - before.callCount) / seconds, cpuMs: (after.cpuMs - before.cpuMs) / seconds };
}
