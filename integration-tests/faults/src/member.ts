/**
 * A member of a fault run: `node member.js '<MemberStart as JSON>'`. Contends for its groups, works while it leads, and writes down what it sees.
 *
 * @module
 */
import { createCoordinator, FencedError, type Lease, type LeaseStore, type WorkContext } from '@wb/core';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { changedStore } from './changed-store.js';
import { HistoryWriter } from './history.js';
import { nowMs } from './machine-time.js';
import { startJobs } from './member-jobs.js';
import type { MemberCommand, MemberNews, MemberStart } from './member-start.js';
import { plantedFaults } from './plants/planted-faults.js';
import { loadTarget } from './targets/index.js';

const start = JSON.parse(process.argv[2]!) as MemberStart;
const { url, groups, ttlMs, heartbeatMs, plant } = start;
const target = await loadTarget(start.target);
const history = new HistoryWriter(start.historyPath);
const database = target.open(url);
const faulty = plant === null ? null : plantedFaults[plant]!;
/** A leader that freezes in the middle of a transaction must keep nobody waiting for as long as a TTL. */
const MAX_HOLD_MS = ttlMs / 4;
/** How long work may take to settle, beside what it has begun to write. */
const MAX_SETTLE_MS = ttlMs / 4;
/** How long after its loss a session surely is dead, in TTLs: what was sent for it before may have been on its way for long. */
const LATE_TTLS = 5;
/** What is worked under. */
const leases = new Set<Lease>();
let lastSession = '';

const coordinator = createCoordinator({
  store: () => recorded(faulty?.store?.(database.store) ?? database.store),
  memberId: start.member,
  ttlMs,
  heartbeatMs,
});

history.write({ kind: 'started', atMs: nowMs(), member: start.member, process: start.process });
coordinator.on('session', ({ to, reason }) => {
  history.write({ kind: 'session', atMs: nowMs(), state: to, reason });
  if (to === 'live' && process.connected) process.send!('live' satisfies MemberNews);
  if (to === 'lost') sendLateHeartbeat(lastSession);
});
for (const group of groups) {
  void coordinator.lead(group, work, {
    onEnd: 'contend',
    onError: 'contend',
    backOff: { minMs: heartbeatMs / 4, maxMs: heartbeatMs },
    settleDeadlineMs: ttlMs,
  });
}

const schedulers = startJobs(start.jobGroups, { coordinator, database, history, ttlMs, maxHoldMs: MAX_HOLD_MS });

process.on('message', (command: MemberCommand) => void obey(command));
process.on('disconnect', () => process.exit(0));

async function obey(command: MemberCommand): Promise<void> {
  switch (command.kind) {
    case 'block': {
      // The event loop stands still, as in a long computation.
      const endMs = nowMs() + command.forMs;
      while (nowMs() < endMs);
      return;
    }
    case 'resign':
      await coordinator.resign(command.group);
      return;
    case 'close':
      // What runs is run to its end.
      await Promise.all(schedulers.map((scheduler) => scheduler.stop()));
      await coordinator.close();
      history.close();
      process.disconnect();
  }
}

async function work({ groupId: group, term, signal, lease }: WorkContext): Promise<void> {
  const { sessionId: session } = lease;
  // Read before: what was left then is left of an earlier instant.
  const beganAtMs = nowMs();
  history.write({ kind: 'begin', atMs: beganAtMs, group, term, session, untilMs: beganAtMs + lease.remainingMs() });
  let abortedAtMs = Infinity;
  signal.addEventListener('abort', () => {
    abortedAtMs = nowMs();
    history.write({ kind: 'abort', atMs: abortedAtMs, group, term, reason: String(Reflect.get(signal.reason as object, 'reason')) });
  });
  leases.add(lease);
  const isDeaf = faulty?.ignoresAbort === true;
  // Also one that ignores its signal comes to an end: others wait for that when it is closed.
  const isStopped = (): boolean => (isDeaf ? nowMs() > abortedAtMs + 2 * ttlMs : signal.aborted);
  while (!isStopped()) {
    const atMs = nowMs();
    const remainingMs = lease.remainingMs();
    if (remainingMs === 0 && !isDeaf) {
      history.write({ kind: 'unheld', atMs, group, term });
      await untilTold(signal, group, term);
      break;
    }
    history.write({ kind: 'unit', atMs, group, term, untilMs: atMs + remainingMs });
    // A refusal is not the end: it is the coordinator's to say that.
    await write(lease);
    await sleep(start.unitMs * (0.5 + Math.random()), undefined, isDeaf ? undefined : { signal }).catch(() => undefined);
  }
  // Now and then it has something to bring to its end.
  if (Math.random() < 0.5) await sleep(Math.random() * MAX_SETTLE_MS);
  leases.delete(lease);
  history.write({ kind: 'end', atMs: nowMs(), group, term });
}

/** Its signal follows within a heartbeat (T4). In several steps: after a freeze a step is late, and the coordinator's own timer, which is as late, has its turn before the next one. */
async function untilTold(signal: AbortSignal, group: string, term: number): Promise<void> {
  for (let waitedMs = 0; waitedMs < ttlMs && !signal.aborted; waitedMs += heartbeatMs) {
    await sleep(heartbeatMs, undefined, { signal }).catch(() => undefined);
  }
  if (!signal.aborted) history.write({ kind: 'untold', atMs: nowMs(), group, term });
}

/** Writes to the ledger and down what came of it. */
async function write(lease: Lease): Promise<void> {
  const { groupId: group, term, sessionId: session } = lease;
  const id = randomUUID();
  const entry = { id, group, term, session };
  // Now and then it takes its time, so that a freeze finds it in the middle.
  const pauseMs = Math.random() < 0.2 ? Math.random() * MAX_HOLD_MS * 0.4 : 0;
  history.write({ kind: 'write', atMs: nowMs(), group, term, id });
  if (faulty?.acknowledgesEarly === true) history.write({ kind: 'written', atMs: nowMs(), id, earlierCount: null });
  if (database.hasOneLock) await sleep(pauseMs);
  try {
    const options = {
      lease: faulty?.isUnfenced === true ? null : lease,
      maxHoldMs: MAX_HOLD_MS,
      pauseMs: [database.hasOneLock ? 0 : pauseMs, 0],
    } as const;
    const earlierCount = await database.write(entry, options);
    if (faulty?.acknowledgesEarly !== true) history.write({ kind: 'written', atMs: nowMs(), id, earlierCount });
  } catch (error) {
    // Of anything else the outcome is unknown: the checker makes nothing of it.
    if (error instanceof FencedError) history.write({ kind: 'refused', atMs: nowMs(), id });
  }
}

/** Writes down what the coordinator asks of the store, and what it is told. */
function recorded(store: LeaseStore): LeaseStore {
  let claimCount = 0;
  return changedStore(store, {
    openSession: async (session, options) => {
      const sentAtMs = nowMs();
      lastSession = session.sessionId;
      await store.openSession(session, options);
      history.write({ kind: 'extended', atMs: nowMs(), session: session.sessionId, sentAtMs });
    },
    heartbeat: async (request, options) => {
      const sentAtMs = nowMs();
      const result = await store.heartbeat(request, options);
      if (!result.alive) return result;
      history.write({ kind: 'extended', atMs: nowMs(), session: request.sessionId, sentAtMs });
      // When the coordinator has made of it what it makes of it.
      setImmediate(() => recordTrust(request.sessionId));
      return result;
    },
    claim: async (session, groupIds, options) => {
      claimCount += 1;
      const id = claimCount;
      history.write({ kind: 'claim', atMs: nowMs(), id, session, groups: groupIds });
      const results = await store.claim(session, groupIds, options);
      const granted = results.flatMap((result) => (result.kind === 'granted' ? [{ group: result.groupId, term: result.term }] : []));
      history.write({ kind: 'claimed', atMs: nowMs(), id, granted });
      return results;
    },
  });
}

function recordTrust(session: string): void {
  const lease = [...leases].find(({ sessionId }) => sessionId === session);
  const atMs = nowMs();
  const remainingMs = lease?.remainingMs() ?? 0;
  if (remainingMs > 0) history.write({ kind: 'trust', atMs, session, untilMs: atMs + remainingMs });
}

/** Much later there comes one more heartbeat of a session that was lost, as a statement may that its client has given up long since. */
function sendLateHeartbeat(sessionId: string): void {
  const lostAtMs = nowMs();
  const send = async (): Promise<void> => {
    const signal = AbortSignal.timeout(ttlMs);
    const result = await database.store.heartbeat({ sessionId, holders: [] }, { signal });
    if (result.alive) history.write({ kind: 'revived', atMs: nowMs(), session: sessionId, lostAtMs });
  };
  setTimeout(() => void send().catch(() => undefined), LATE_TTLS * ttlMs).unref();
}
