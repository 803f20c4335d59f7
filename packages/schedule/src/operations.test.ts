import { describe, expect, it } from 'vitest';
import { GROUP, JobRig, START_MS, TTL_MS } from '../test-support/job-rig.js';
import { createScheduler, readJobStatuses, resumeJob } from './index.js';

describe('pause, resume, run now', () => {
  it('a paused job begins nothing on any member, and goes on without what it has missed', async () => {
    const rig = new JobRig();
    const [a, b] = [rig.member('a'), rig.member('b')];
    const jobs = [a, b].map((member) => member.schedule({ job: 'send', every: 1_000, startAt: START_MS }));
    await rig.runFor(3_500);
    const count = rig.runs.length;
    expect(await rig.settle(jobs[1]!.pause())).toMatchObject({ kind: 'done', status: { isPaused: true } });
    expect(await rig.settle(jobs[0]!.pause())).toMatchObject({ kind: 'unchanged' });
    // One may have been under way.
    await rig.runFor(10_000);
    expect(rig.runs.length).toBeLessThanOrEqual(count + 1);
    const paused = rig.runs.length;
    await rig.settle(jobs[1]!.resume());
    await rig.runFor(3_000);
    expect(rig.runs.length - paused).toBeGreaterThanOrEqual(2);
    expect(rig.runs.length - paused).toBeLessThanOrEqual(3);
    expect(rig.runs.slice(paused).every(({ context }) => context.cause === 'schedule')).toBe(true);
    // Each time is run or counted, and told of.
    const { count: claimed, skippedCount, nextAtMs } = await rig.status('send');
    expect(claimed).toBe(rig.runs.length);
    expect(claimed + skippedCount).toBe((nextAtMs! - START_MS) / 1_000);
    const told = [a, b].flatMap(({ events }) => events).flatMap((event) => (event.kind === 'skipped' ? [event] : []));
    expect(new Set(told.map(({ reason }) => reason))).toEqual(new Set(['paused']));
    expect(told.reduce((sum, event) => sum + event.count, 0)).toBe(skippedCount);
  });

  it('what comes after somebody has had it go on is run, also when the leader learns of that late', async () => {
    const rig = new JobRig();
    const a = rig.member('a');
    const job = a.schedule({
      job: 'send',
      every: 10_000,
      startAt: START_MS + 5_000,
      refreshMs: 60_000,
      misfireGraceMs: 100,
      onMisfire: 'skip',
    });
    await rig.until('a leader has seen it', () => rig.database.readJobs(GROUP).length === 1);
    await rig.settle(job.pause());
    await rig.runFor(5_000);
    expect(await rig.status('send')).toMatchObject({ skippedCount: 1 });
    // From a shell elsewhere: nobody tells the leader, who looks once a minute, and finds it by its next write.
    await rig.settle(resumeJob(rig.member('b').coordinator.store, GROUP, 'send', { clock: a.clock }));
    await rig.until('it runs', () => rig.runs.length === 1, 12_000);
    expect(rig.scheduled).toEqual([15_000]);
  });

  it('a clock that was ahead by a year is told of, and what it has used up comes back by a restart', async () => {
    const rig = new JobRig();
    const [fast, b] = [rig.member('fast'), rig.member('b')];
    fast.clock.jump(31_536_000_000);
    fast.schedule({ job: 'send', every: 1_000 });
    await rig.until('the fast one runs it', () => rig.runs.length === 2);
    fast.kill();
    const job = b.schedule({ job: 'send', every: 1_000, refreshMs: 500 });
    await rig.runFor(30_000);
    expect(rig.runs).toHaveLength(2);
    expect(b.events.map(({ kind }) => kind)).toEqual(['ahead']);
    expect(await rig.settle(job.restart())).toMatchObject({ kind: 'done', status: { isRestarting: true } });
    await rig.runFor(5_000);
    expect(rig.runs.length).toBeGreaterThanOrEqual(6);
    expect(rig.runs.map(({ context }) => context.occurrence)).toEqual(rig.runs.map((_, at) => at + 1));
    expect(b.kinds()).toContain('restarted');
  });

  it('a job that is over begins anew on who schedules it after a restart', async () => {
    const rig = new JobRig();
    const a = rig.member('a');
    const first = a.schedule({ job: 'send', every: 1_000, onError: 'TERMINATE' }, () => {
      throw new Error('broken');
    });
    expect(await rig.settle(first.done)).toEqual({ reason: 'failed' });
    expect(await rig.settle(first.restart())).toMatchObject({ kind: 'done', status: { endReason: 'error', isRestarting: true } });
    expect(await rig.settle(first.restart())).toMatchObject({ kind: 'unchanged' });
    a.schedule({ job: 'send', every: 1_000, maxCount: 2 });
    await rig.runFor(5_000);
    expect(rig.runs.map(({ context }) => context.occurrence)).toEqual([1, 2, 3]);
    expect(await rig.status('send')).toMatchObject({ endReason: 'max-count', count: 2, failedCount: 1 });
  });

  it('O3: a wish whose reply is lost is made once, also when it has been carried out before it is repeated', async () => {
    const rig = new JobRig();
    const [a, b] = [rig.member('a'), rig.member('b')];
    const options = { job: 'send', every: 3_600_000, refreshMs: 20 };
    a.schedule(options);
    await rig.until('a runs it', () => rig.runs.length === 1);
    const job = b.schedule(options);
    let writeCount = 0;
    b.fate = (operation) => ({ deliverAfterMs: [1], replyAfterMs: operation === 'writeJob' && (writeCount += 1) === 1 ? null : 1 });
    expect(await rig.settle(job.runNow())).toMatchObject({ kind: 'done' });
    await rig.runFor(2_000);
    expect(writeCount).toBe(2);
    expect(rig.runs.map(({ context }) => context.cause)).toEqual(['schedule', 'manual']);
  });

  it('T5: what is asked of a database that says nothing has an end, or ends with its signal', async () => {
    const rig = new JobRig();
    const a = rig.member('a');
    const job = a.schedule({ job: 'send', every: 60_000 });
    await rig.until('it runs', () => rig.runs.length === 1);
    a.cutOff();
    const startedAtMs = rig.nowMs;
    await expect(rig.settle(job.pause())).rejects.toMatchObject({ code: 'STORE_TIMEOUT' });
    expect(rig.nowMs - startedAtMs).toBeLessThanOrEqual(231);
    const abort = new AbortController();
    const status = job.status({ signal: abort.signal });
    abort.abort(new Error('no more'));
    await expect(rig.settle(status)).rejects.toThrow('no more');
    // Read, but not written.
    a.fate = (operation) => ({ deliverAfterMs: operation === 'writeJob' ? [] : [1], replyAfterMs: 1 });
    await expect(rig.settle(job.pause())).rejects.toMatchObject({ code: 'STORE_TIMEOUT', outcome: 'unknown' });
  });

  it('a record of a newer version holds up its own job alone, and is told of once', async () => {
    const rig = new JobRig();
    const a = rig.member('a');
    const { store } = a.coordinator;
    const write = { groupId: GROUP, jobId: 'newer', expectedVersion: 0, writeId: 'w', record: '{"format":2}', lease: null };
    expect(rig.database.writeJob(write)).toMatchObject({ kind: 'written' });
    const job = a.schedule({ job: 'send', every: 1_000 });
    const newer = a.schedule({ job: 'newer', every: 1_000 });
    await rig.runFor(10_000);
    expect(rig.runs.length).toBeGreaterThanOrEqual(10);
    expect(a.kinds().filter((kind) => kind === 'unreadable')).toHaveLength(1);
    expect(await rig.settle(job.status())).toMatchObject({ jobId: 'send' });
    await expect(rig.settle(newer.status())).rejects.toMatchObject({ code: 'JOB_RECORD_UNREADABLE' });
    await expect(rig.settle(readJobStatuses(store, GROUP, { clock: a.clock }))).rejects.toMatchObject({ code: 'JOB_RECORD_UNREADABLE' });
    const unreadable: string[] = [];
    const statuses = await rig.settle(
      readJobStatuses(store, GROUP, { clock: a.clock, onUnreadable: (jobId, { code }) => unreadable.push(jobId, code) }),
    );
    expect([statuses.map(({ jobId }) => jobId), unreadable]).toEqual([['send'], ['newer', 'JOB_RECORD_UNREADABLE']]);
  });

  it('somebody asks for a run: once, also while it is paused, and `maxCount` does not count it', async () => {
    const rig = new JobRig();
    const a = rig.member('a');
    const job = a.schedule({ job: 'send', every: 60_000, startAt: START_MS + 30_000, maxCount: 2 });
    expect(await rig.settle(job.runNow())).toEqual({ kind: 'unknown-job' });
    await rig.runFor(1_000);
    await rig.settle(job.pause());
    expect(await rig.settle(job.runNow())).toMatchObject({ kind: 'done' });
    await rig.runFor(5_000);
    expect(rig.runs.map(({ context }) => [context.cause, context.occurrence])).toEqual([['manual', 1]]);
    await rig.settle(job.resume());
    await rig.runFor(200_000);
    expect(rig.runs.map(({ context }) => context.cause)).toEqual(['manual', 'schedule', 'schedule']);
    expect(await rig.status('send')).toMatchObject({ count: 2, runCount: 3, endReason: 'max-count' });
    expect(await rig.settle(job.runNow())).toMatchObject({ kind: 'over' });
  });

  it('an operator’s write in the middle of a run is not lost, nor is the run’s outcome', async () => {
    const rig = new JobRig();
    const a = rig.member('a');
    const job = a.schedule({ job: 'send', every: 60_000 }, a.busy(500));
    await rig.until('it runs', () => rig.runs.length === 1);
    await rig.settle(job.pause());
    await rig.runFor(1_000);
    expect(await rig.status('send')).toMatchObject({ isPaused: true, running: null, history: [{ outcome: 'succeeded' }] });
  });
});

describe('attach, detach, start, stop', () => {
  it('nothing runs before `start`; jobs come and go meanwhile', async () => {
    const rig = new JobRig();
    const { coordinator, clock } = rig.member('a');
    const scheduler = createScheduler(coordinator, { group: GROUP, clock });
    const seen: string[] = [];
    const job = scheduler.attach({ job: 'one', every: 1_000 }, () => void seen.push('one'));
    await rig.runFor(3_000);
    expect(seen).toEqual([]);
    scheduler.start();
    await rig.runFor(3_000);
    expect(seen.length).toBeGreaterThanOrEqual(3);
    scheduler.attach({ job: 'two', every: 1_000 }, () => void seen.push('two'));
    expect(scheduler.jobs.map(({ jobId }) => jobId)).toEqual(['one', 'two']);
    await rig.runFor(500);
    expect(await rig.settle(scheduler.detach('one'))).toBe(true);
    expect(await job.done).toEqual({ reason: 'stopped' });
    seen.splice(0);
    await rig.runFor(3_000);
    expect(new Set(seen)).toEqual(new Set(['two']));
    expect(await rig.settle(scheduler.detach('one'))).toBe(false);
    await rig.settle(scheduler.stop());
    expect(scheduler.jobs).toEqual([]);
    expect(coordinator.status().groups).toEqual([]);
  });

  it('a job that is attached as the last one ends runs, is led for, and ends with the coordinator', async () => {
    const rig = new JobRig();
    const a = rig.member('a');
    const job = a.schedule({ job: 'first', every: 1_000, maxCount: 1 });
    const next = job.done.then(() => a.schedule({ job: 'next', cron: '0 0 1 * *' }));
    await rig.until('a leader has seen the next one', () => rig.database.readJobs(GROUP).length === 2, 5_000);
    await rig.runFor(2 * TTL_MS);
    expect(a.coordinator.status().groups).toMatchObject([{ groupId: GROUP, state: 'leading' }]);
    await rig.settle(a.coordinator.close());
    expect(await (await next).done).toEqual({ reason: 'closed' });
    expect(await rig.time.step()).toBe(false);
  });

  it('a graceful stop waits for what runs, and hands over: the other goes on at the next time', async () => {
    const rig = new JobRig();
    const [a, b] = [rig.member('a'), rig.member('b')];
    const jobs = [a, b].map((member) => member.schedule({ job: 'send', every: 5_000 }, member.busy(1_000)));
    await rig.until('it runs', () => rig.runs.length === 1);
    const [bearer, own] = rig.runs[0]!.member === 'a' ? [a, jobs[0]!] : [b, jobs[1]!];
    expect(await rig.settle(own.stop())).toEqual({ reason: 'stopped' });
    expect((await rig.status('send')).history).toMatchObject([{ occurrence: 1, outcome: 'succeeded' }]);
    await rig.until('the other runs it', () => rig.runs.length === 2, 6_000);
    expect(rig.runs[1]!.member).not.toBe(bearer.coordinator.memberId);
    expect(rig.runs[1]!.context).toMatchObject({ occurrence: 2, term: 2 });
  });

  it('a stop at once aborts what runs, and the next leader finds it interrupted', async () => {
    const rig = new JobRig();
    const [a, b] = [rig.member('a'), rig.member('b')];
    const job = a.schedule({ job: 'send', every: 60_000, onInterrupted: 'rerun' }, a.busy(5_000));
    await rig.until('it runs', () => rig.runs.length === 1);
    b.schedule({ job: 'send', every: 60_000, onInterrupted: 'rerun' });
    await rig.runFor(100);
    const stoppedAtMs = rig.nowMs;
    expect(await rig.settle(job.stopNow())).toEqual({ reason: 'stopped' });
    expect(rig.nowMs - stoppedAtMs).toBeLessThan(100);
    expect(rig.runs[0]!.context.signal.reason).toMatchObject({ code: 'JOB_STOPPED' });
    await rig.until('b runs it again', () => rig.runs.length === 2, 3_000);
    expect(rig.runs[1]!.context).toMatchObject({ occurrence: 1, isRerun: true });
  });

  it('the coordinator’s close ends the jobs, and leaves no timer behind', async () => {
    const rig = new JobRig();
    const a = rig.member('a');
    const job = a.schedule({ job: 'send', every: 1_000 }, a.busy(300));
    await rig.until('it runs', () => rig.runs.length === 2);
    await rig.settle(a.coordinator.close());
    expect(await job.done).toEqual({ reason: 'closed' });
    await rig.runFor(10_000);
    expect(rig.runs).toHaveLength(2);
    expect(await rig.time.step()).toBe(false);
  });

  it('resigning hands the jobs over', async () => {
    const rig = new JobRig();
    const [a, b] = [rig.member('a'), rig.member('b')];
    a.schedule({ job: 'send', every: 1_000 });
    await rig.until('a runs it', () => rig.runs.length === 2);
    b.schedule({ job: 'send', every: 1_000 });
    await rig.runFor(300);
    expect(await rig.settle(a.coordinator.resign(GROUP))).toBe(true);
    await rig.runFor(2_000);
    expect(rig.runs.at(-1)!.member).toBe('b');
    expect(rig.runs.map(({ context }) => context.occurrence)).toEqual(rig.runs.map((_, at) => at + 1));
  });
});
