import { answerInterrupted, pauseJob, requestRun, restartJob, resumeJob, type JobControlResult } from '../src/index.js';
import type { World } from './world.js';

const MEMBER_IDS = ['ada', 'bob', 'cyd', 'ada'];

const FAULTS = [
  'pause',
  'suspend',
  'crash',
  'crash',
  'close',
  'resign',
  'stop',
  'stop-now',
  'stop-group',
  'attach',
  'attach',
  'jump',
  'cut',
  'outage',
  'again',
  'operate',
  'operate',
] as const;
type Fault = (typeof FAULTS)[number];
/** What makes the leadership change, and interrupts. */
const TURNOVER: readonly Fault[] = ['crash', 'crash', 'resign', 'resign', 'cut', 'pause', 'stop-group', 'attach', 'attach', 'again'];

/** Breaks things, one at a time and at random, until `untilMs`. Four seeds in ten are about turnover: runs that take their time, and leaders that do not stay. */
export async function torment(world: World, untilMs: number): Promise<void> {
  const { random, time, timings, weather } = world;
  const { ttlMs, callDeadlineMs } = timings;
  // Some seeds have a bad network throughout, some a good one that fails now and then.
  const badness = random.pick([0, 0.02, 0.1, 0.25]);
  Object.assign(weather, {
    requestLost: badness * random.next(),
    replyLost: badness * random.next(),
    late: badness * random.next(),
    again: badness * random.next(),
    slowMs: random.pick([0, 0, 10, callDeadlineMs]),
    lateWrite: random.pick([0, 0, 0.05, 0.3]),
  });
  for (const memberId of MEMBER_IDS.slice(0, 2 + random.below(MEMBER_IDS.length - 1))) {
    if (random.chance(0.5)) world.start(memberId);
    else time.schedule(random.between(0, ttlMs), () => void world.start(memberId));
  }
  const isTurnover = random.chance(0.4);
  if (isTurnover) world.habits = ['slow', 'slow', 'slow', 'quick'];
  while (time.nowMs < untilMs) {
    await time.runFor(random.between(0, isTurnover ? ttlMs / 2 : ttlMs), () => world.check());
    strike(world, random.pick(isTurnover ? TURNOVER : FAULTS));
  }
}

function strike(world: World, fault: Fault): void {
  const { random, time, timings } = world;
  const { ttlMs, heartbeatMs } = timings;
  const alive = world.members.filter((member) => member.isAlive);
  if (alive.length === 0) {
    world.start(random.pick(MEMBER_IDS));
    return;
  }
  const member = random.pick(alive);
  const spec = random.pick(world.specs);
  const again = (): void => {
    time.schedule(random.between(0, 2 * ttlMs), () => {
      if (!world.isCalm) world.start(member.memberId);
    });
  };
  world.trace(`— ${fault} ${member.name} —`);
  switch (fault) {
    case 'pause':
    case 'suspend':
      if (member.clock.isPaused) return;
      member.clock.pause(fault === 'suspend');
      time.schedule(random.between(0, random.pick([heartbeatMs, 2.5 * ttlMs])), () => member.clock.resume());
      return;
    case 'crash':
      member.kill();
      again();
      return;
    case 'close':
      if (!member.isRunning || member.isClosing) return;
      member.isClosing = true;
      void member.coordinator.close().then(() => {
        world.trace(`${member.name} is closed`);
        member.kill();
      });
      again();
      return;
    case 'resign':
      if (member.isRunning) void member.coordinator.resign(spec.groupId);
      return;
    case 'stop':
    case 'stop-now':
      void member.stop(spec, fault === 'stop-now');
      return;
    case 'stop-group':
      if (member.isRunning && !member.isClosing) void member.scheduler(spec.groupId).stop();
      return;
    case 'attach':
      for (const each of world.specs) member.attach(each);
      return;
    case 'jump':
      // T3 promises nothing for a wall clock that is set back in a machine that sleeps.
      if (!member.clock.isPaused) member.jump(random.pick([random.between(0, ttlMs), 5_000]));
      return;
    case 'cut':
      world.outages.set(member.name, time.nowMs + random.between(0, 2 * ttlMs));
      return;
    case 'outage':
      world.outages.set('*', time.nowMs + random.between(0, 2 * ttlMs));
      return;
    case 'again':
      if (alive.length < 5) world.start(member.memberId);
      return;
    case 'operate':
      void operate(world);
  }
}

/** Somebody with a shell, who takes no part. What he asks for may get lost. */
async function operate(world: World): Promise<void> {
  const { random, timings } = world;
  const { groupId, jobId } = random.pick(world.specs);
  const { clock } = world.operator;
  const store = world.connect('operator', clock);
  const call = { clock, callDeadlineMs: timings.callDeadlineMs };
  const what = random.pick(['pause', 'resume', 'resume', 'run', 'restart', 'rerun', 'skip'] as const);
  try {
    const { kind } = await ask(what);
    world.trace(`operator ${what} ${jobId}: ${kind}`);
  } catch (error) {
    world.trace(`operator ${what} ${jobId}: ${String(error)}`);
  }

  function ask(wish: typeof what): Promise<JobControlResult> {
    switch (wish) {
      case 'pause':
        return pauseJob(store, groupId, jobId, call);
      case 'resume':
        return resumeJob(store, groupId, jobId, call);
      case 'run':
        return requestRun(store, groupId, jobId, Math.floor(clock.now().wallMs), call);
      case 'restart':
        return restartJob(store, groupId, jobId, call);
      case 'rerun':
      case 'skip':
        return answerInterrupted(store, groupId, jobId, wish, call);
    }
  }
}
