import { Violation } from './audit.js';
import { torment } from './nemesis.js';
import { type Plant, World } from './world.js';

/** What one seed came to. */
export interface SeedResult {
  readonly seed: number;
  readonly violation: Violation | null;
  readonly trace: readonly string[];
  /** The highest term of any group: how often leadership changed. */
  readonly maxTerm: number;
  readonly virtualMs: number;
}

/** Runs one seed: faults for some time, then calm, in which everything must work again (T9), then an orderly end (F14). */
export async function simulate(seed: number, plant: Plant = {}): Promise<SeedResult> {
  const world = new World(seed, plant);
  let violation: Violation | null = null;
  try {
    await torment(world, world.random.between(6, 14) * world.timings.ttlMs);
    await recover(world);
    await closeAll(world);
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    violation = error;
    world.trace(`VIOLATION ${error.message}`);
  }
  const maxTerm = Math.max(0, ...[...world.database.leases.values()].map((lease) => lease.term));
  return { seed, violation, trace: world.traceLines, maxTerm, virtualMs: world.scheduler.nowMs };
}

/** T9: once faults stop, every group has a working leader within TTL + one heartbeat, and keeps it. */
async function recover(world: World): Promise<void> {
  const { scheduler, timings, groupIds } = world;
  const check = (): void => world.check();
  world.calm();
  for (const node of world.nodes) node.lead(groupIds[0]!);
  const candidates = world.nodes.filter((node) => node.isAlive && !node.isClosing);
  const candidate = candidates[0] ?? world.start('eve');
  // Statements that are still under way are faults, too.
  await scheduler.runUntil(Math.max(scheduler.nowMs, world.lastDeliveryMs), check);
  for (const groupId of groupIds) candidate.lead(groupId);
  world.trace('— the last fault is over —');
  // What clocks of different rates and a few round trips add.
  const slackMs = 0.08 * timings.ttlMs + 60;
  const recoveredAtMs = scheduler.nowMs + timings.ttlMs + timings.heartbeatMs + slackMs;
  await scheduler.runUntil(recoveredAtMs, check);
  for (const groupId of groupIds) {
    if (!world.isWorked(groupId)) throw new Violation('T9', `nobody works on ${groupId} a TTL and a heartbeat after the last fault`);
  }
  const terms = groupIds.map((groupId) => world.database.leases.get(groupId)?.term);
  await scheduler.runFor(2 * timings.ttlMs, () => {
    check();
    for (const groupId of groupIds) if (!world.isWorked(groupId)) throw new Violation('T9', `${groupId} lost its leader without any fault`);
  });
  groupIds.forEach((groupId, index) => {
    if (world.database.leases.get(groupId)?.term !== terms[index])
      throw new Violation('T9', `${groupId} changed its leader without any fault`);
  });
}

/** F14: a clean end frees everything at once, and the next one leads within a heartbeat; at last nothing is left, no timer either. */
async function closeAll(world: World): Promise<void> {
  const { scheduler, timings, groupIds } = world;
  const check = (): void => world.check();
  const alive = world.nodes.filter((node) => node.isAlive && !node.isClosing);
  for (const [index, node] of alive.entries()) {
    let isClosed = false;
    node.isClosing = true;
    world.trace(`— ${node.name} closes —`);
    void node.shell.close().then(() => {
      isClosed = true;
    });
    await scheduler.runFor(60, check);
    if (!isClosed) throw new Violation('F14', `${node.name} did not close within 60 ms`);
    const rest = alive.slice(index + 1);
    await scheduler.runFor(1.05 * timings.heartbeatMs + 60, check);
    for (const groupId of groupIds) {
      if (rest.some((other) => other.contends.has(groupId)) && !world.isWorked(groupId)) {
        throw new Violation(
          'F14',
          `nobody works on ${groupId} a heartbeat after ${node.name} closed, though ${rest
            .filter((other) => other.contends.has(groupId))
            .map((other) => other.name)
            .join(', ')} could`,
        );
      }
    }
  }
  for (const node of world.nodes) {
    if (node.isAlive && node.runs.size > 0) throw new Violation('T7', `${node.name} is closed and still works`);
  }
  if (world.nodes.every((node) => !node.isAlive || node.isClosing)) {
    const nowMs = world.storeNowMs;
    for (const groupId of groupIds) {
      const holder = world.audit.holder(groupId, nowMs);
      if (holder !== null && alive.some((node) => holder.startsWith(`${node.name}/`))) {
        throw new Violation('F14', `${groupId} is still held by ${holder}, which was closed`);
      }
    }
  }
  await scheduler.runFor(10 * timings.ttlMs, check);
  if (await scheduler.step()) throw new Violation('F14', 'a timer survived the end of every coordinator');
}
