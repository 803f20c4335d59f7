import type { JobSpec } from './job-spec.js';
import { torment } from './nemesis.js';
import { Violation } from './violation.js';
import { type Plant, World } from './world.js';

/** What one seed came to. */
export interface SeedResult {
  readonly seed: number;
  readonly violation: Violation | null;
  readonly trace: readonly string[];
  /** How often work began, and how often of that it was begun again after an interruption. */
  readonly beginCount: number;
  readonly rerunCount: number;
  /** How many terms there were, in all groups. */
  readonly termCount: number;
}

/** What round trips and clocks of different rates add, in ms. */
const SLACK_MS = 100;

/** Runs one seed: faults for some time, then calm, in which each job must become current and stay so, then an orderly end. */
export async function simulate(seed: number, plant: Plant = {}): Promise<SeedResult> {
  const world = new World(seed, plant);
  let violation: Violation | null = null;
  try {
    await torment(world, world.random.between(6, 14) * world.timings.ttlMs);
    await recover(world);
    await stayCurrent(world);
    await closeAll(world);
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    violation = error;
    world.trace(`VIOLATION ${error.message}`);
  }
  const { traceLines: trace, beginCount, rerunCount, database } = world;
  const termCount = [...database.leases.values()].reduce((sum, { term }) => sum + term, 0);
  return { seed, violation, trace, beginCount, rerunCount, termCount };
}

/** T9: once faults stop, each job is current within a TTL and a heartbeat, and what the work that hangs from before is given. */
async function recover(world: World): Promise<void> {
  const { time, timings, specs } = world;
  const { ttlMs, heartbeatMs, refreshMs } = timings;
  const check = (): void => world.check();
  world.calm();
  if (!world.members.some(({ isAlive, isClosing }) => isAlive && !isClosing)) world.start('eve');
  // Statements that are still under way are faults, too, and so is work that looks at nothing.
  await time.runUntil(Math.max(time.nowMs + 1.6 * ttlMs, world.lastDeliveryMs), check);
  for (const member of world.members) for (const spec of specs) member.attach(spec);
  world.trace('— the last fault is over —');
  const hangsMs = Math.max(...specs.map(({ options }) => (options.timeoutMs ?? 0) + 2 * options.settleMs!));
  const leadsMs = 1.08 * ttlMs + 2 * heartbeatMs + SLACK_MS;
  for (const untilMs = time.nowMs + hangsMs + leadsMs + refreshMs + SLACK_MS; time.nowMs < untilMs; await time.runFor(heartbeatMs, check))
    world.tend();
}

/** Without faults nothing is late, missed or interrupted. */
async function stayCurrent(world: World): Promise<void> {
  const { time, timings, specs } = world;
  const recordsBefore = specs.map((spec) => world.audit.recordOf(spec));
  const behindSinceMs = new Map<JobSpec, number>();
  await time.runFor(3 * timings.ttlMs, () => {
    world.check();
    for (const spec of specs) {
      const backlog = world.backlogOf(spec);
      if (backlog === null) behindSinceMs.delete(spec);
      else if (!behindSinceMs.has(spec)) behindSinceMs.set(spec, time.nowMs);
      else if (time.nowMs - behindSinceMs.get(spec)! > SLACK_MS)
        throw new Violation('live', `${spec.jobId} is behind for ${SLACK_MS} ms without any fault: ${backlog}`);
    }
  });
  for (const [at, spec] of specs.entries()) {
    const [before, after] = [recordsBefore[at]!, world.audit.recordOf(spec)!];
    if (after.skippedCount > (before?.skippedCount ?? 0))
      throw new Violation('live', `times of ${spec.jobId} were skipped without any fault`);
  }
}

/** A graceful stop ends what runs, hands the jobs over, and leaves nothing behind, no timer either. */
async function closeAll(world: World): Promise<void> {
  const { time, timings, specs } = world;
  const check = (): void => world.check();
  const alive = world.members.filter((member) => member.isAlive && !member.isClosing);
  for (const member of alive) {
    world.trace(`— ${member.name} stops —`);
    let isClosed = false;
    const dones = member.jobs.map(([, job]) => job.done);
    const stopped = Promise.all(
      [...new Set(specs.map(({ groupId }) => groupId))].map(async (groupId) => await member.scheduler(groupId).stop()),
    );
    void stopped
      .then(async () => await Promise.all(dones))
      .then(async () => {
        await member.coordinator.close();
        isClosed = true;
      });
    await time.runFor(SLACK_MS + timings.heartbeatMs, check);
    if (!isClosed) throw new Violation('end', `${member.name} did not stop within ${SLACK_MS} ms and a heartbeat`);
    member.isClosing = true;
  }
  for (const spec of specs) {
    const record = world.audit.recordOf(spec);
    if (record?.running != null && record.running.retryAtMs === null)
      throw new Violation('end', `occurrence ${record.running.occurrence} of ${spec.jobId} was not ended`);
    world.audit.finished(spec);
  }
  await time.runFor(10 * timings.ttlMs, check);
  if (await time.step()) throw new Violation('end', 'a timer survived the end of every member');
}
