import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { createCoordinator } from './coordinator.js';
import type { Coordinator } from './coordinator-types.js';
import { MemoryDatabase, memoryLeaseStore } from './memory/index.js';
import { Scheduler, VirtualClock } from './testing/index.js';

const GROUPS = 10_000;
const MOVING_GROUPS = 10;
const HOURS = 24;
const HOUR_MS = 3_600_000;
const TTL_MS = 30_000;
const HEARTBEAT_MS = 6_000;
/** In twenty hours there are 24,000 heartbeats: 44 bytes that are kept of each would be seen. What remains are records of terms, and noise. */
const MAX_GROWTH_BYTES = 1_024 * 1_024;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heapBytes(): number {
  collectGarbage();
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

it('a day of heartbeats of two members with ten thousand groups, some of which change hands every hour, leaves nothing behind in memory', async () => {
  const scheduler = new Scheduler();
  const database = new MemoryDatabase();
  let leadingCount = 0;
  const start = (memberId: string): Coordinator => {
    const clock = new VirtualClock(scheduler);
    const store = memoryLeaseStore({ database, clock });
    const coordinator = createCoordinator({ store, memberId, ttlMs: TTL_MS, heartbeatMs: HEARTBEAT_MS, clock });
    const work = ({ signal }: { readonly signal: AbortSignal }): Promise<void> => {
      leadingCount += 1;
      return new Promise((resolve) => {
        const end = (): void => {
          leadingCount -= 1;
          resolve();
        };
        signal.addEventListener('abort', end, { once: true });
      });
    };
    for (let at = 0; at < GROUPS; at += 1) void coordinator.lead(`group-${at}`, work, { onEnd: 'contend' });
    return coordinator;
  };
  const members = [start('a'), start('b')] as const;
  const hour = async (): Promise<void> => {
    for (let at = 0; at < MOVING_GROUPS; at += 1) {
      for (const member of members) void member.resign(`group-${at}`);
    }
    await scheduler.runFor(HOUR_MS);
    expect(leadingCount).toBe(GROUPS);
  };
  await scheduler.runFor(HOUR_MS);
  // What is made once, and the code as it becomes fast.
  for (let count = 1; count < 4; count += 1) await hour();
  const before = heapBytes();
  for (let count = 4; count < HOURS; count += 1) await hour();
  expect(heapBytes() - before).toBeLessThan(MAX_GROWTH_BYTES);
}, 60_000);
