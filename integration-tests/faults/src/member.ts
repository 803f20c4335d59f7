/**
 * A member of a fault run: `node member.js '<MemberStart as JSON>'`. Contends for its groups, works while it leads, and writes down what it sees.
 *
 * @module
 */
import { createCoordinator, type LeaseStore, type WorkContext } from '@wb/core';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { HistoryWriter } from './history.js';
import { nowMs } from './machine-time.js';
import type { MemberCommand, MemberNews, MemberStart } from './member-start.js';
import { plantedFaults } from './planted-faults.js';
import { loadTarget } from './targets/index.js';

const start = JSON.parse(process.argv[2]!) as MemberStart;
const { url, groups, ttlMs, heartbeatMs, plant } = start;
const target = await loadTarget(start.target);
const history = new HistoryWriter(start.historyPath);
const ledger = target.openLedger(url, ttlMs);
const faulty = plant === null ? null : plantedFaults[plant]!;

const coordinator = createCoordinator({
  store: () => recorded(faulty?.store?.(target.openStore(url)) ?? target.openStore(url)),
  memberId: start.member,
  ttlMs,
  heartbeatMs,
});

history.write({ kind: 'started', atMs: nowMs(), member: start.member, process: start.process });
coordinator.on('session', ({ to, reason }) => {
  history.write({ kind: 'session', atMs: nowMs(), state: to, reason });
  if (to === 'live' && process.connected) process.send!('live' satisfies MemberNews);
});
for (const group of groups) {
  void coordinator.lead(group, work, {
    onEnd: 'contend',
    onError: 'contend',
    backOff: { minMs: heartbeatMs / 4, maxMs: heartbeatMs },
    settleDeadlineMs: ttlMs,
  });
}

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
      await coordinator.close();
      await ledger.close();
      history.close();
      process.disconnect();
  }
}

async function work({ groupId: group, term, signal, lease }: WorkContext): Promise<void> {
  const { sessionId: session } = lease;
  // Read before: what was left then is left of an earlier instant.
  const beganAtMs = nowMs();
  history.write({ kind: 'begin', atMs: beganAtMs, group, term, session, untilMs: beganAtMs + lease.remainingMs() });
  const note = (): void =>
    history.write({ kind: 'abort', atMs: nowMs(), group, term, reason: String(Reflect.get(signal.reason as object, 'reason')) });
  signal.addEventListener('abort', note);
  const isStopped = (): boolean => signal.aborted && faulty?.ignoresAbort !== true;
  while (!isStopped()) {
    const atMs = nowMs();
    if (!lease.isHeld() && faulty?.ignoresAbort !== true) break;
    history.write({ kind: 'unit', atMs, group, term, untilMs: atMs + lease.remainingMs() });
    const id = randomUUID();
    history.write({ kind: 'write', atMs: nowMs(), group, term, id });
    try {
      const outcome = await ledger.write({ id, group, term, session });
      history.write({ kind: outcome, atMs: nowMs(), id });
      if (outcome === 'refused' && faulty?.ignoresAbort !== true) break;
    } catch {
      // The outcome is unknown: the checker makes nothing of it.
    }
    await sleep(start.unitMs * (0.5 + Math.random()), undefined, { signal }).catch(() => undefined);
    if (faulty?.ignoresAbort === true && signal.aborted) await sleep(start.unitMs);
  }
  history.write({ kind: 'end', atMs: nowMs(), group, term });
}

/** Notes each claim before it is sent. */
function recorded(store: LeaseStore): LeaseStore {
  const recording = Object.create(store) as LeaseStore;
  recording.claim = (sessionId, groupIds, options) => {
    history.write({ kind: 'claim', atMs: nowMs(), groups: groupIds });
    return store.claim(sessionId, groupIds, options);
  };
  // Private fields are found on the store itself only.
  for (const name of [
    'migrate',
    'openSession',
    'heartbeat',
    'closeSession',
    'contend',
    'withdraw',
    'release',
    'held',
    'read',
    'members',
    'close',
  ] as const) {
    Reflect.set(recording, name, (store[name] as (...args: unknown[]) => unknown).bind(store));
  }
  if (store.watch) recording.watch = store.watch.bind(store);
  return recording;
}
