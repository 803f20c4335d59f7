/**
 * A process with many groups: `node --expose-gc crowd.js '<CrowdStart as JSON>'`.
 *
 * @module
 */
import { createCoordinator, type LeaseStore, type WorkContext } from '@wb/core';
import { Socket } from 'node:net';
import { openStore } from '../databases/open-store.js';
import { machineMs } from '../failover/messages.js';
import { cpuMs } from '../measure/clock.js';
import type { CrowdMessage, CrowdStart } from './messages.js';

/** How often it looks whether it waits for all groups, in ms. */
const LOOK_MS = 100;

const { url, namespace, memberId, groupCount, ttlMs, heartbeatMs, readsSignal = false } = JSON.parse(process.argv[2]!) as CrowdStart;
const calls: Record<string, number> = {};
const sockets = sumSockets();
const coordinator = createCoordinator({ store: () => counted(openStore(url, namespace, 4)), memberId, ttlMs, heartbeatMs });
let leadCount = 0;

/** Work that goes on until the process ends. One promise for all, and nothing is read of the context unless it is asked for: what is measured is the coordinator. */
const forEver = new Promise<never>(() => undefined);
const work = (context: WorkContext): Promise<never> => {
  if (readsSignal) context.signal.addEventListener('abort', end);
  leadCount += 1;
  if (leadCount === groupCount) tell({ kind: 'leads-all', atMs: machineMs() });
  return forEver;
};
function end(): void {
  process.exit(1);
}

for (let at = 0; at < groupCount; at += 1) void coordinator.lead(`group-${at}`, work, { onEnd: 'contend' });

const looking = setInterval(() => {
  const { groups } = coordinator.status();
  if (!groups.every(({ state, leader }) => state === 'standby' && leader !== null && leader.memberId !== memberId)) {
    if (leadCount === groupCount) clearInterval(looking);
    return;
  }
  clearInterval(looking);
  tell({ kind: 'waits' });
}, LOOK_MS);

/** Of all collections for a look at the heap, in ms of the processor. */
let collectingMs = 0;
process.on('message', () => {
  const beforeMs = cpuMs();
  global.gc!();
  const afterMs = cpuMs();
  collectingMs += afterMs - beforeMs;
  tell({
    kind: 'usage',
    usage: {
      ...{ calls: { ...calls }, bytes: sockets(), cpuMs: afterMs - collectingMs },
      ...{ heapBytes: process.memoryUsage().heapUsed, atMs: machineMs() },
    },
  });
});

/** The store, with its calls counted. */
function counted(store: LeaseStore): LeaseStore {
  return new Proxy(store, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...values: unknown[]): unknown => {
        calls[String(name)] = (calls[String(name)] ?? 0) + 1;
        return value.apply(target, values);
      };
    },
  });
}

/** From now on all sockets are noted; what is returned sums up what went over them. */
function sumSockets(): () => number {
  const all = new Set<Socket>();
  const connect = Reflect.get(Socket.prototype, 'connect') as (...values: unknown[]) => unknown;
  Reflect.set(Socket.prototype, 'connect', function noting(this: Socket, ...values: unknown[]): unknown {
    all.add(this);
    return connect.apply(this, values);
  });
  return () => [...all].reduce((sum, socket) => sum + socket.bytesRead + socket.bytesWritten, 0);
}

function tell(message: CrowdMessage): void {
  process.send?.(message);
}
