import { describe, expect, it } from 'vitest';
import { GROUP, JobRig, TTL_MS, type JobMember } from '../test-support/job-rig.js';
import { pauseJob, resumeJob, type Job } from './index.js';

/** Loses the reply to one write of a record, counted from 1. Everything else goes well. */
function loseReply(member: JobMember, number: number): void {
  let count = 0;
  member.fate = (operation) => {
    if (operation === 'writeJob') count += 1;
    return { deliverAfterMs: [1], replyAfterMs: operation === 'writeJob' && count === number ? null : 1 };
  };
}

/** A leader whose write was applied, and who does not know; then somebody else writes. */
async function overtaken(writeNumber: number): Promise<{ rig: JobRig; a: JobMember }> {
  const rig = new JobRig();
  const [a, b] = [rig.member('a'), rig.member('b')];
  const options = { job: 'send', every: 60_000 };
  loseReply(a, writeNumber);
  a.schedule(options);
  await rig.until('it is written', () => rig.database.readJobs('orders')[0]?.version === writeNumber);
  const job: Job = b.schedule(options);
  expect(await rig.settle(job.runNow())).toMatchObject({ kind: 'done' });
  expect(rig.nowMs).toBeLessThan(230);
  await rig.runFor(3 * TTL_MS);
  return { rig, a };
}

describe('O3: a write of unknown outcome that was applied, and an operator who has written after it', () => {
  it('a claim: its occurrence is run, and is no interruption', async () => {
    const { rig, a } = await overtaken(2);
    expect(rig.runs.map(({ context: { occurrence, isRerun, cause } }) => [occurrence, isRerun, cause])).toEqual([
      [1, false, 'schedule'],
      [2, false, 'manual'],
    ]);
    expect(a.kinds()).toEqual(['store-fault', 'began', 'ended', 'began', 'ended']);
  });

  it('an outcome: it is told once, and the leader goes on', async () => {
    const { rig, a } = await overtaken(3);
    expect(rig.runs.map(({ context: { occurrence, cause } }) => [occurrence, cause])).toEqual([
      [1, 'schedule'],
      [2, 'manual'],
    ]);
    expect(a.kinds()).toEqual(['began', 'store-fault', 'ended', 'began', 'ended']);
  });
});

describe('a leader whose trust has ended', () => {
  it('claims nothing more, though its lease stands: nobody would run it', async () => {
    const rig = new JobRig();
    const [a, b] = [rig.member('a'), rig.member('b')];
    const options = { job: 'send', every: 500 };
    a.schedule(options);
    await rig.until('it has run', () => a.kinds().includes('ended'));
    // The next claim does not come through until its trust has ended; heartbeats never do.
    const isTrusting = (): boolean => a.coordinator.status().groups[0]?.state === 'leading';
    a.fate = (operation) => ({ deliverAfterMs: operation === 'writeJob' && !isTrusting() ? [1] : [], replyAfterMs: 1 });
    await rig.until('it wants to claim', () => a.kinds().includes('store-fault'));
    await rig.settle(pauseJob(rig.store, GROUP, 'send'));
    await rig.settle(resumeJob(rig.store, GROUP, 'send'));
    await rig.until('its trust has ended', () => !isTrusting(), 2 * TTL_MS);
    await rig.runFor(2_500);
    expect(await rig.status('send')).toMatchObject({ runCount: 1, running: null });
    b.schedule(options);
    await rig.until('b runs it', () => rig.runs.length === 2);
    expect(b.kinds()).not.toContain('interrupted');
  });
});

describe('F4: a run that hangs, and was stopped from outside', () => {
  const options = { job: 'send', every: 60_000, timeoutMs: 500, settleMs: 300 };

  it('ends its leader’s leadership when its time is over, like any other', async () => {
    const rig = new JobRig();
    const a = rig.member('a');
    const job = a.schedule(options, () => new Promise(() => undefined));
    a.schedule({ job: 'other', every: 60_000 });
    await rig.until('it runs', () => rig.runs.length === 2);
    await rig.runFor(100);
    expect(await rig.settle(job.stopNow(), 1_000)).toEqual({ reason: 'stopped' });
    expect(rig.nowMs).toBeGreaterThan(700);
    expect((await rig.status('send')).history).toMatchObject([{ outcome: 'hung' }]);
  });

  it('does not keep its coordinator from closing', async () => {
    const rig = new JobRig();
    const a = rig.member('a');
    a.schedule(options, () => new Promise(() => undefined));
    await rig.until('it runs', () => rig.runs.length === 1);
    await rig.settle(a.coordinator.close(), 1_000);
    expect(rig.nowMs).toBeGreaterThan(700);
  });
});
