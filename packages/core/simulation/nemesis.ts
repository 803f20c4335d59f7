import type { StoreInstant } from '../src/memory/index.js';
import type { World } from './world.js';

const MEMBER_IDS = ['ada', 'bob', 'cyd', 'dan', 'ada'];

const FAULTS = ['pause', 'suspend', 'crash', 'close', 'resign', 'stop', 'lead', 'jump', 'cut', 'outage', 'again', 'ask'] as const;
type Fault = (typeof FAULTS)[number];

/** Breaks things, one at a time and at random, until `untilMs`. */
export async function torment(world: World, untilMs: number): Promise<void> {
  if (world.random.chance(0.3)) await turnover(world, untilMs);
  else await everything(world, untilMs);
}

/**
 * Sessions that live long and leaderships that do not: groups are led, left and led again all the time, while claims and releases arrive after their
 * senders gave up. The traps of docs/protocol.md are here.
 */
async function turnover(world: World, untilMs: number): Promise<void> {
  const { random, timings } = world;
  Object.assign(world.weather, { lateLease: random.between(0.1, 0.5), again: random.pick([0, 0.1]) });
  world.habits = ['steady', 'ends', 'ends', 'throws'];
  world.longestWorkMs = timings.ttlMs / 2;
  for (const memberId of MEMBER_IDS.slice(0, 2 + random.below(2))) world.start(memberId);
  await strikeUntil(world, untilMs, timings.ttlMs / 8, ['resign', 'ask', 'stop', 'stop', 'lead', 'lead', 'lead']);
}

async function everything(world: World, untilMs: number): Promise<void> {
  const { random, scheduler, timings, weather } = world;
  const { ttlMs } = timings;
  // Some seeds have a bad network throughout, some a good one that fails now and then.
  const badness = random.pick([0, 0.02, 0.1, 0.25]);
  Object.assign(weather, {
    requestLost: badness * random.next(),
    replyLost: badness * random.next(),
    late: badness * random.next(),
    again: badness * random.next(),
    slowMs: random.pick([0, 0, 10, timings.callDeadlineMs]),
  });
  // The database may be down at boot (F17).
  if (random.chance(0.2)) outage(world, '*', random.between(0, 2 * ttlMs));
  const memberCount = 2 + random.below(MEMBER_IDS.length - 1);
  for (const memberId of MEMBER_IDS.slice(0, memberCount)) {
    const node = (): unknown => world.start(memberId);
    if (random.chance(0.5)) node();
    else scheduler.schedule(random.between(0, ttlMs), node);
  }
  await strikeUntil(world, untilMs, ttlMs, FAULTS);
}

async function strikeUntil(world: World, untilMs: number, longestPauseMs: number, faults: readonly Fault[]): Promise<void> {
  while (world.scheduler.nowMs < untilMs) {
    await world.scheduler.runFor(world.random.between(0, longestPauseMs), () => world.check());
    strike(world, world.random.pick(faults));
  }
}

function strike(world: World, fault: Fault): void {
  const { random, scheduler, timings } = world;
  const { ttlMs, heartbeatMs } = timings;
  const alive = world.nodes.filter((node) => node.isAlive);
  if (alive.length === 0) {
    world.start(random.pick(MEMBER_IDS));
    return;
  }
  const node = random.pick(alive);
  const groupId = random.pick(world.groupIds);
  const again = (): void => {
    scheduler.schedule(random.between(0, 2 * ttlMs), () => {
      if (!world.isCalm) world.start(node.memberId);
    });
  };
  world.trace(`— ${fault} ${node.name} —`);
  switch (fault) {
    case 'pause':
    case 'suspend': {
      if (node.clock.isPaused) return;
      node.pause(fault === 'suspend');
      scheduler.schedule(random.between(0, random.pick([heartbeatMs, 2.5 * ttlMs])), () => node.resume());
      return;
    }
    case 'crash':
      node.kill();
      again();
      return;
    case 'close':
      if (!node.isRunning || node.isClosing) return;
      node.isClosing = true;
      void node.shell.close().then(() => {
        world.trace(`${node.name} is closed`);
        for (const { groupId: left } of node.shell.status().groups) world.trace(`${node.name} still has ${left}`);
        node.kill();
      });
      again();
      return;
    case 'resign':
      if (node.isRunning) void node.shell.resign(groupId);
      return;
    case 'ask':
      // By somebody who takes no part.
      world.database.requestResign(groupId, world.storeNowMs as StoreInstant);
      return;
    case 'stop':
      if (node.isRunning) node.contends.get(groupId)?.abort();
      return;
    case 'lead':
      for (const id of world.groupIds) node.lead(id);
      return;
    case 'jump':
      node.jump(random.pick([-1, 1]) * random.pick([ttlMs * random.next(), 3_600_000]));
      return;
    case 'cut':
      outage(world, node.name, random.between(0, 2 * ttlMs));
      return;
    case 'outage':
      outage(world, '*', random.between(0, 2 * ttlMs));
      return;
    case 'again':
      if (alive.length < 6) world.start(node.memberId);
  }
}

function outage(world: World, key: string, forMs: number): void {
  world.outages.set(key, world.scheduler.nowMs + forMs);
}
