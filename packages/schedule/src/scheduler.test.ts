import { describe, expect, it } from 'vitest';
import { GROUP, JobRig, START_MS, TTL_MS, type JobMember } from '../test-support/job-rig.js';
import { instantOfText } from './clock.js';
import { schedule } from './index.js';

function two(rig: JobRig): [JobMember, JobMember] {
  return [rig.member('a'), rig.member('b')];
}

/** The occurrences that ran more than once, by their scheduled time. */
function twice(rig: JobRig): number[] {
  const seen = new Set<number>();
  return rig.scheduled.filter((atMs) => seen.has(atMs) || !seen.add(atMs));
}

describe('a recurring job', () => {
  it('runs on one member alone, at its times, without drift', async () => {
    const rig = new JobRig();
    const [a, b] = two(rig);
    for (const member of [a, b]) member.schedule({ job: 'send', every: 1_000, startAt: START_MS + 500 }, member.busy(130));
    await rig.runFor(60_000);
    expect(rig.scheduled).toEqual(Array.from({ length: 60 }, (_, at) => 500 + at * 1_000));
    expect(new Set(rig.runs.map(({ member }) => member)).size).toBe(1);
    for (const { context, atMs } of rig.runs) expect(atMs - (context.scheduledAt.getTime() - START_MS)).toBeLessThan(20);
    expect(rig.runs.map(({ context }) => context.occurrence)).toEqual(Array.from({ length: 60 }, (_, at) => at + 1));
  });

  it('F4, F13: when the bearer dies, another goes on within a TTL and a heartbeat, and no occurrence runs twice', async () => {
    const rig = new JobRig();
    const members = ['a', 'b', 'c'].map((memberId) => rig.member(memberId));
    for (const member of members) member.schedule({ job: 'send', every: 700, maxCount: 40 }, member.busy(100));
    for (const killed of [0, 1]) {
      await rig.runFor(7_000);
      const bearer = members.find((member) => member.coordinator.memberId === rig.runs.at(-1)!.member)!;
      const diedAtMs = rig.nowMs;
      bearer.kill();
      const count = rig.runs.length;
      await rig.until('another runs it', () => rig.runs.length > count, TTL_MS + 200 + 700 + 100);
      expect(rig.runs.at(-1)!.atMs - diedAtMs, `after kill ${killed}`).toBeLessThanOrEqual(TTL_MS + 200 + 700 + 100);
      expect(rig.runs.at(-1)!.member).not.toBe(bearer.coordinator.memberId);
    }
    await rig.runFor(60_000);
    expect(twice(rig)).toEqual([]);
    expect(new Set(rig.runs.map(({ member }) => member)).size).toBe(3);
    const occurrences = rig.runs.map(({ context }) => context.occurrence);
    expect(occurrences).toEqual(Array.from({ length: 40 }, (_, at) => at + 1));
  });

  it('F5: `maxCount` is of the whole group, standbys use nothing up, and a finished job stays finished', async () => {
    const rig = new JobRig();
    const [a, b] = two(rig);
    const jobs = [a, b].map((member) => member.schedule({ job: 'send', every: 1_000, maxCount: 10 }));
    await rig.until('four runs', () => rig.runs.length === 4);
    const bearer = rig.runs[0]!.member === 'a' ? a : b;
    bearer.kill();
    const other = bearer === a ? jobs[1]! : jobs[0]!;
    expect(await rig.settle(other.done)).toEqual({ reason: 'finished' });
    expect(rig.runs).toHaveLength(10);
    expect(await rig.status('send')).toMatchObject({ endReason: 'max-count', count: 10, runCount: 10, nextAtMs: null });
    // Somebody who comes later.
    const late = rig.member('late').schedule({ job: 'send', every: 1_000, maxCount: 10 });
    expect(await rig.settle(late.done)).toEqual({ reason: 'finished' });
    expect(rig.runs).toHaveLength(10);
  });

  it('runs nothing before `startAt` and after `endAt`, both included', async () => {
    const rig = new JobRig();
    const job = rig.member('a').schedule({ job: 'send', every: 1_000, startAt: START_MS + 5_000, endAt: START_MS + 8_000 });
    expect(await rig.settle(job.done)).toEqual({ reason: 'finished' });
    expect(rig.scheduled).toEqual([5_000, 6_000, 7_000, 8_000]);
    expect(await rig.status('send')).toMatchObject({ endReason: 'no-more-times' });
  });

  it('an instant comes once, also when it had passed before anybody led', async () => {
    const rig = new JobRig();
    const a = rig.member('a');
    const past = a.schedule({ job: 'past', at: START_MS - 60_000 });
    const future = a.schedule({ job: 'future', at: '2026-01-01T00:00:03Z' });
    const dropped = a.schedule({ job: 'dropped', at: START_MS - 60_000, onMisfire: 'skip' });
    await rig.settle(Promise.all([past.done, future.done, dropped.done]));
    expect(rig.runs.map(({ context }) => [context.jobId, context.cause])).toEqual([
      ['past', 'misfire'],
      ['future', 'schedule'],
    ]);
    expect(rig.runs[1]!.atMs).toBeGreaterThanOrEqual(3_000);
    expect(await rig.status('dropped')).toMatchObject({ skippedCount: 1, runCount: 0 });
  });

  it('DST, on a virtual clock: a job at 02:30 in Berlin runs once on every day of the year, also on the two odd ones', async () => {
    for (const [from, odd, others] of [
      ['2026-03-27T12:00:00Z', '2026-03-29T01:00:00Z', ['2026-03-28T01:30:00Z', '2026-03-30T00:30:00Z']],
      ['2026-10-23T12:00:00Z', '2026-10-25T00:30:00Z', ['2026-10-24T00:30:00Z', '2026-10-26T01:30:00Z']],
    ] as const) {
      const rig = new JobRig(instantOfText(from)!);
      // Heartbeats of three days would be many.
      rig.member('a', 3_600_000).schedule({ job: 'nightly', cron: '30 2 * * *', timeZone: 'Europe/Berlin', refreshMs: 600_000 });
      await rig.runFor(3 * 86_400_000);
      const [first, second, third] = rig.runs.map(({ context }) => context.scheduledAt.toISOString());
      expect([first, second, third]).toEqual([others[0], odd, others[1]].map((text) => text.replace('Z', '.000Z')));
      expect(rig.runs).toHaveLength(3);
      for (const { context, atMs } of rig.runs) expect(atMs + instantOfText(from)! - context.scheduledAt.getTime()).toBeLessThan(50);
    }
  });

  it('several jobs of a group run beside each other, led by one member', async () => {
    const rig = new JobRig();
    const [a, b] = two(rig);
    for (const member of [a, b]) {
      member.schedule({ job: 'long', every: 10_000 }, member.busy(9_000));
      member.schedule({ job: 'short', every: 1_000 });
    }
    await rig.runFor(20_500);
    expect(rig.runs.filter(({ context }) => context.jobId === 'short').length).toBeGreaterThanOrEqual(20);
    expect(rig.runs.filter(({ context }) => context.jobId === 'long')).toHaveLength(3);
    expect(new Set(rig.runs.map(({ member }) => member)).size).toBe(1);
  });

  it('what a run writes through `fenced` is committed while it leads', async () => {
    const rig = new JobRig();
    const a = rig.member('a');
    a.schedule({ job: 'send', every: 1_000, maxCount: 3 }, async ({ context }) => {
      await context.fenced((transaction) => transaction.set(`row ${context.occurrence}`, context.scheduledAt.getTime() - START_MS));
    });
    await rig.runFor(10_000);
    expect([...rig.database.values.keys()]).toEqual(['row 1', 'row 2', 'row 3']);
  });

  it('a database that is down holds jobs up and loses none of them, visibly', async () => {
    const rig = new JobRig();
    const a = rig.member('a');
    a.schedule({ job: 'send', every: 300, onMisfire: 'run-all', misfireLimit: 100, maxCount: 30 });
    await rig.runFor(2_000);
    a.cutOff();
    await rig.runFor(5_000);
    expect(a.events.some((event) => event.kind === 'store-fault')).toBe(true);
    a.reconnect();
    await rig.runFor(20_000);
    const missing = Array.from({ length: 30 }, (_, at) => at + 1).filter(
      (occurrence) => !rig.runs.some(({ context }) => context.occurrence === occurrence),
    );
    // One was claimed as the line went dead; nobody knows whether it ran, so that it is not begun again.
    expect(missing.length).toBeLessThanOrEqual(1);
    expect(a.events.filter((event) => event.kind === 'ended' && event.outcome === 'interrupted')).toHaveLength(missing.length);
    expect(twice(rig)).toEqual([]);
    // Each of the thirty was claimed once, and none was passed over.
    expect(await rig.status('send')).toMatchObject({ count: 30, runCount: 30, skippedCount: 0, running: null, endReason: 'max-count' });
    const first = rig.scheduled[0]!;
    expect(rig.runs.map(({ context }) => context.scheduledAt.getTime() - START_MS - (context.occurrence - 1) * 300)).toEqual(
      rig.runs.map(() => first),
    );
  });

  it('no reply that is lost makes an occurrence run twice or not at all: each write’s reply is lost once', async () => {
    const rig = new JobRig();
    const a = rig.member('a');
    let count = 0;
    a.fate = (operation) => ({ deliverAfterMs: [1], replyAfterMs: operation === 'writeJob' && (count += 1) % 2 === 1 ? null : 1 });
    a.schedule({ job: 'send', every: 1_000, maxCount: 10, callDeadlineMs: 100 });
    await rig.runFor(30_000);
    expect(rig.runs.map(({ context }) => context.occurrence)).toEqual(Array.from({ length: 10 }, (_, at) => at + 1));
    expect((await rig.status('send')).history.every(({ outcome }) => outcome === 'succeeded')).toBe(true);
  });

  it('when the store says that the lease is over, and the heartbeat does not, the member yields, and leads anew', async () => {
    const rig = new JobRig();
    const a = rig.member('a');
    a.schedule({ job: 'send', every: 500, refreshMs: 300 });
    await rig.until('it runs', () => rig.runs.length === 2);
    // As a database does that has lost commits.
    rig.database.leases.get(GROUP)!.holderId = null;
    await rig.until('it runs in the next term', () => rig.runs.at(-1)!.context.term === 2, 5_000);
    expect(twice(rig)).toEqual([]);
  });

  it('T10, F9: who is frozen while its claim is on the way runs nothing when it wakes', async () => {
    const rig = new JobRig();
    const [a, b] = two(rig);
    const options = { job: 'send', every: 60_000, onInterrupted: 'rerun' as const };
    a.fate = (operation) => ({ deliverAfterMs: [1], replyAfterMs: operation === 'writeJob' ? 50 : 1 });
    a.schedule(options);
    await rig.until('its claim is in the store', () => rig.database.readJobs('orders')[0]?.record.includes('"occurrence":1') === true);
    a.clock.pause();
    b.schedule(options);
    await rig.until('b has begun it anew', () => rig.runs.length === 1);
    a.clock.resume();
    await rig.runFor(5_000);
    expect(rig.runs.map(({ member, context }) => [member, context.occurrence, context.isRerun])).toEqual([['b', 1, true]]);
  });

  it('a claim that is delivered late, when another leads, does nothing', async () => {
    const rig = new JobRig();
    const [a, b] = two(rig);
    a.schedule({ job: 'send', every: 1_000 });
    await rig.until('a runs it', () => rig.runs.length === 2);
    // Its next writes stay on the way for long, and it dies.
    a.fate = (operation) => ({ deliverAfterMs: [operation === 'writeJob' ? 5_000 : 1], replyAfterMs: null });
    await rig.runFor(1_200);
    a.kill();
    b.schedule({ job: 'send', every: 1_000 });
    await rig.runFor(20_000);
    expect(rig.runs.slice(0, 2).map(({ member }) => member)).toEqual(['a', 'a']);
    expect(twice(rig)).toEqual([]);
    expect(rig.runs.filter(({ member }) => member === 'a')).toHaveLength(2);
  });
});

describe('several groups and members', () => {
  it('looks at records no more than 500 times a second, however many groups it leads', async () => {
    const rig = new JobRig();
    const a = rig.member('a', 10_000);
    let lookCount = 0;
    a.fate = (operation) => {
      if (operation === 'readJobs') lookCount += 1;
      return { deliverAfterMs: [1], replyAfterMs: 1 };
    };
    for (let at = 0; at < 30; at += 1) a.schedule({ group: `g${at}`, job: 'yearly', cron: '0 0 1 1 *', refreshMs: 30 });
    await rig.runFor(300);
    lookCount = 0;
    await rig.runFor(600);
    expect(lookCount).toBeGreaterThan(240);
    expect(lookCount).toBeLessThanOrEqual(330);
    await rig.settle(a.coordinator.close());
    expect(await rig.time.step()).toBe(false);
  });

  it('a job needs a store that keeps records, and says so before anything is touched', () => {
    const rig = new JobRig();
    const { coordinator } = rig.member('a');
    const store = { ...coordinator.store, capabilities: { ...coordinator.store.capabilities, occurrences: false } };
    const without = { ...coordinator, store };
    expect(() => schedule(without, { group: GROUP, job: 'send', every: 1_000 }, () => undefined)).toThrow(/capabilities.occurrences/);
  });

  it('a name is attached once', () => {
    const rig = new JobRig();
    const a = rig.member('a');
    a.schedule({ job: 'send', every: 1_000 });
    expect(() => a.schedule({ job: 'send', every: 1_000 })).toThrow('`job` ("send") is attached already');
  });
});
