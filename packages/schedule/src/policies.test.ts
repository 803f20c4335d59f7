import { afterEach, describe, expect, it, vi } from 'vitest';
import { JobRig, START_MS, TTL_MS, type JobMember, type SeenRun } from '../test-support/job-rig.js';
import type { JobEvent } from './index.js';

const skippedBy = (member: JobMember): JobEvent[] => member.events.filter((event) => event.kind === 'skipped');

/** Throws in the attempts that are named, each time. */
function failing(...attempts: number[]): (run: SeenRun) => void {
  return ({ context: { attempt } }) => {
    if (attempts.includes(attempt)) throw new Error(`attempt ${attempt}`);
  };
}

describe('onOverlap: a run that takes longer than the interval', () => {
  it('WAIT: one waits, the last of them; the others are skipped, and said to be', async () => {
    const rig = new JobRig();
    const a = rig.member('a');
    a.schedule({ job: 'send', every: 1_000, startAt: START_MS + 1_000, endAt: START_MS + 6_000 }, a.busy(2_500));
    await rig.runFor(30_000);
    // Begun at 1,000, 3,500 and a little after 6,000: each but the first has waited.
    expect(rig.scheduled).toEqual([1_000, 3_000, 6_000]);
    expect(rig.runs.map(({ context }) => context.cause)).toEqual(['schedule', 'overlap', 'overlap']);
    expect(
      skippedBy(a).map((event) => event.kind === 'skipped' && [event.reason, event.fromMs - START_MS, event.toMs - START_MS, event.count]),
    ).toEqual([
      ['overlap', 2_000, 2_000, 1],
      ['overlap', 4_000, 5_000, 2],
    ]);
    expect(await rig.status('send')).toMatchObject({ count: 3, skippedCount: 3 });
  });

  it('WAIT with run-all: each waits its turn', async () => {
    const rig = new JobRig();
    const a = rig.member('a');
    a.schedule({ job: 'send', every: 1_000, maxCount: 5, onMisfire: 'run-all' }, a.busy(1_900));
    await rig.runFor(30_000);
    const first = rig.scheduled[0]!;
    expect(rig.scheduled).toEqual([0, 1, 2, 3, 4].map((at) => first + at * 1_000));
    expect(skippedBy(a)).toEqual([]);
  });

  it.each(['IGNORE', 'LOG_AND_IGNORE'] as const)('%s: none waits', async (onOverlap) => {
    const rig = new JobRig();
    const a = rig.member('a');
    a.schedule({ job: 'send', every: 1_000, startAt: START_MS + 1_000, endAt: START_MS + 6_000, onOverlap }, a.busy(2_500));
    await rig.runFor(30_000);
    expect(rig.scheduled).toEqual([1_000, 4_000]);
    expect(await rig.status('send')).toMatchObject({ count: 2, skippedCount: 4 });
    expect(a.logs).toEqual(
      onOverlap === 'IGNORE'
        ? []
        : [
            'job "send" of group "orders": 2 scheduled times ignored while occurrence 1 ran',
            'job "send" of group "orders": 2 scheduled times ignored while occurrence 2 ran',
          ],
    );
  });
});

describe('onMisfire: times at which nobody could run it', () => {
  /** Runs a job for a while, lets its only member be frozen for 20 s, and tells what ran after that. */
  async function afterFreeze(
    options: Partial<Parameters<JobMember['schedule']>[0]>,
  ): Promise<{ rig: JobRig; a: JobMember; late: readonly SeenRun[] }> {
    const rig = new JobRig();
    const a = rig.member('a');
    a.schedule({ job: 'send', every: 1_000, startAt: START_MS, misfireGraceMs: 100, ...options });
    await rig.runFor(4_500);
    const count = rig.runs.length;
    a.clock.pause(true);
    await rig.runFor(20_000);
    a.clock.resume();
    await rig.runFor(1_000);
    return { rig, a, late: rig.runs.slice(count) };
  }

  const times = (runs: readonly SeenRun[]): number[] => runs.map(({ context }) => context.scheduledAt.getTime() - START_MS);

  it('run-once: the last of them, and no burst', async () => {
    const { a, late } = await afterFreeze({});
    expect(times(late)).toEqual([24_000, 25_000]);
    expect(late.map(({ context }) => context.cause)).toEqual(['misfire', 'schedule']);
    expect(skippedBy(a)).toMatchObject([
      { reason: 'misfire', fromMs: START_MS + 5_000, toMs: START_MS + 23_000, count: 19, isExact: true },
    ]);
  });

  it('skip: none of them', async () => {
    const { rig, a, late } = await afterFreeze({ onMisfire: 'skip' });
    expect(times(late)).toEqual([25_000]);
    expect(skippedBy(a)).toMatchObject([{ reason: 'misfire', count: 20 }]);
    expect(await rig.status('send')).toMatchObject({ skippedCount: 20, count: 6 });
  });

  it('run-all: each, in order', async () => {
    const { late } = await afterFreeze({ onMisfire: 'run-all', misfireLimit: 100 });
    expect(times(late)).toEqual(Array.from({ length: 21 }, (_, at) => 5_000 + at * 1_000));
  });

  it('run-all: at most the last of them, up to the limit', async () => {
    const { a, late } = await afterFreeze({ onMisfire: 'run-all', misfireLimit: 3 });
    expect(times(late)).toEqual([22_000, 23_000, 24_000, 25_000]);
    expect(skippedBy(a)).toMatchObject([{ reason: 'misfire', toMs: START_MS + 21_000, count: 17 }]);
  });
});

describe('onError', () => {
  it.each([
    ['LOG_AND_CONTINUE', 3, 3],
    ['CONTINUE', 3, 0],
    ['LOG_AND_TERMINATE', 1, 1],
    ['TERMINATE', 1, 0],
  ] as const)('%s: of three occurrences that throw %i are run, with %i lines', async (onError, runCount, lineCount) => {
    const rig = new JobRig();
    const a = rig.member('a');
    const job = a.schedule({ job: 'send', every: 1_000, maxCount: 3, onError }, failing(1));
    const { reason } = await rig.settle(job.done);
    expect(rig.runs).toHaveLength(runCount);
    expect(a.logs).toHaveLength(lineCount);
    expect(a.logs.every((line) => line.includes('job "send" of group "orders": occurrence '))).toBe(true);
    expect(a.logs.every((line) => line.includes('failed: Error: attempt 1'))).toBe(true);
    const isOver = onError.endsWith('TERMINATE');
    expect(reason).toBe(isOver ? 'failed' : 'finished');
    expect(await rig.status('send')).toMatchObject({ endReason: isOver ? 'error' : 'max-count', failedCount: runCount });
    // F4: over for everybody, and nobody goes on looking alive.
    const later = rig.member('b').schedule({ job: 'send', every: 1_000, maxCount: 3, onError });
    expect(await rig.settle(later.done)).toEqual({ reason });
    expect(rig.runs).toHaveLength(runCount);
  });
});

describe('log', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('what it throws is an uncaught exception, and no fault of the run: the leader goes on', async () => {
    const uncaught: unknown[] = [];
    vi.stubGlobal('queueMicrotask', (callback: () => void) => {
      const turn = async (): Promise<void> => {
        await Promise.resolve();
        try {
          callback();
        } catch (error) {
          uncaught.push(error);
        }
      };
      void turn();
    });
    const rig = new JobRig();
    const log = (): void => {
      throw new Error('disk full');
    };
    rig.member('a').schedule({ job: 'send', every: 1_000, maxCount: 2, log }, failing(1));
    await rig.runFor(5_000);
    expect(rig.runs.map(({ context }) => [context.occurrence, context.term])).toEqual([
      [1, 1],
      [2, 1],
    ]);
    expect(uncaught).toMatchObject([{ message: 'disk full' }, { message: 'disk full' }]);
  });
});

describe('retry', () => {
  const gaps = (rig: JobRig): number[] => rig.runs.slice(1).map(({ atMs }, at) => Math.round((atMs - rig.runs[at]!.atMs) / 100) * 100);

  it('FIXED: the same pause each time, until an attempt succeeds', async () => {
    const rig = new JobRig();
    const a = rig.member('a');
    a.schedule({ job: 'send', every: 60_000, maxCount: 1, retry: { maxAttempts: 5, intervalMs: 1_000 } }, failing(1, 2));
    await rig.runFor(30_000);
    expect(rig.runs.map(({ context }) => context.attempt)).toEqual([1, 2, 3]);
    expect(gaps(rig)).toEqual([1_000, 1_000]);
    expect(new Set(rig.runs.map(({ context }) => context.occurrence))).toEqual(new Set([1]));
    expect((await rig.status('send')).history).toMatchObject([{ outcome: 'succeeded', attempt: 3 }]);
    expect(a.logs).toEqual([]);
  });

  it('EXPONENTIAL: twice as long each time, up to the longest; and at most as many attempts as allowed', async () => {
    const rig = new JobRig();
    const a = rig.member('a');
    const retry = { maxAttempts: 5, intervalMs: 1_000, backoff: 'EXPONENTIAL', maxIntervalMs: 3_000 } as const;
    a.schedule({ job: 'send', every: 60_000, maxCount: 1, retry }, failing(1, 2, 3, 4, 5, 6));
    await rig.runFor(30_000);
    expect(gaps(rig)).toEqual([1_000, 2_000, 3_000, 3_000]);
    expect((await rig.status('send')).history).toMatchObject([{ outcome: 'failed', attempt: 5, error: 'Error: attempt 5' }]);
    expect(a.logs).toHaveLength(1);
  });

  it('F15: the next leader goes on with the next attempt, when it is due', async () => {
    const rig = new JobRig();
    const [a, b] = [rig.member('a'), rig.member('b')];
    const options = { job: 'send', every: 60_000, maxCount: 1, retry: { maxAttempts: 3, intervalMs: 5_000 } };
    a.schedule(options, failing(1, 2));
    await rig.until('the first attempt has failed', () => a.kinds().includes('retrying'));
    a.kill();
    b.schedule(options, failing(1, 2));
    await rig.runFor(30_000);
    expect(rig.runs.map(({ member, context }) => [member, context.occurrence, context.attempt])).toEqual([
      ['a', 1, 1],
      ['b', 1, 2],
      ['b', 1, 3],
    ]);
    expect(gaps(rig)[0]).toBe(5_000);
    expect(rig.runs.some(({ context }) => context.isRerun)).toBe(false);
  });
});

describe('onInterrupted: an occurrence that ran when its leader died', () => {
  async function interrupted(
    options: Partial<Parameters<JobMember['schedule']>[0]>,
  ): Promise<{ rig: JobRig; a: JobMember; b: JobMember; received: unknown[] }> {
    const rig = new JobRig();
    const [a, b] = [rig.member('a'), rig.member('b')];
    const all = { job: 'send', every: 10_000, ...options };
    a.schedule(all, async (run) => {
      await run.context.checkpoint({ done: 7 });
      await a.busy(5_000)(run);
    });
    await rig.until('a has noted how far it came', () => (rig.database.readJobs('orders')[0]?.record ?? '').includes('"done":7'));
    await rig.runFor(100);
    a.kill();
    const received: unknown[] = [];
    b.schedule(all, async ({ context }) => {
      // Now: it changes with the next line.
      received.push(context.lastCheckpoint);
      if (context.isRerun) await context.checkpoint({ done: 9 });
    });
    await rig.until('b leads', () => b.coordinator.status().groups[0]?.state === 'leading', 3 * TTL_MS);
    await rig.runFor(100);
    return { rig, a, b, received };
  }

  it('skip, the default: it is not begun again, and stays visible', async () => {
    const { rig, b } = await interrupted({});
    expect(rig.runs).toHaveLength(1);
    expect(b.events).toMatchObject([
      { kind: 'interrupted', occurrence: 1, memberId: 'a', policy: 'skip' },
      { kind: 'ended', occurrence: 1, outcome: 'interrupted' },
    ]);
    const { history, running } = await rig.status('send');
    expect([history[0]?.outcome, history[0]?.memberId, running]).toEqual(['interrupted', 'a', null]);
    await rig.runFor(10_000);
    expect(rig.runs.map(({ member, context }) => [member, context.occurrence])).toEqual([
      ['a', 1],
      ['b', 2],
    ]);
  });

  it('rerun: begun again on the next leader, with what it had noted', async () => {
    const { rig, b, received } = await interrupted({ onInterrupted: 'rerun' });
    const { member, context } = rig.runs[1]!;
    expect([member, context.occurrence, context.isRerun, context.attempt]).toEqual(['b', 1, true, 1]);
    expect(context.scheduledAt).toEqual(rig.runs[0]!.context.scheduledAt);
    expect(received).toEqual([{ done: 7 }]);
    expect(context.lastCheckpoint).toEqual({ done: 9 });
    expect(b.kinds()).toEqual(['interrupted', 'began', 'ended']);
    // What one occurrence has noted is nothing to the next.
    await rig.runFor(10_000);
    expect(rig.runs[2]!.context).toMatchObject({ occurrence: 2, isRerun: false });
    expect(received).toEqual([{ done: 7 }, null]);
  });

  /** What becomes of the times of an outage of about 34 s that began in the middle of occurrence 1: 10,000, 20,000 and 30,000. */
  async function outage(options: Partial<Parameters<JobMember['schedule']>[0]>): Promise<{ rig: JobRig; b: JobMember }> {
    const rig = new JobRig();
    const [a, b] = [rig.member('a'), rig.member('b')];
    const all = { job: 'send', every: 10_000, startAt: START_MS, misfireGraceMs: 100, ...options };
    a.schedule(all, a.busy(60_000));
    await rig.until('a runs it', () => rig.runs.length === 1);
    await rig.runFor(1_000);
    a.kill();
    await rig.runFor(33_000);
    b.schedule(all, ({ context }) => (context.isRerun ? b.busy(2_000)({ context }) : undefined));
    await rig.runFor(9_000);
    return { rig, b };
  }

  it('the time without a leader is no overlap: `onMisfire` decides about what came in it', async () => {
    const { rig, b } = await outage({ onMisfire: 'skip' });
    expect(rig.scheduled).toEqual([0, 40_000]);
    expect(skippedBy(b)).toMatchObject([{ reason: 'misfire', fromMs: START_MS + 10_000, toMs: START_MS + 30_000, count: 3 }]);
    const once = await outage({});
    expect(once.rig.runs.slice(1).map(({ context }) => [context.scheduledAt.getTime() - START_MS, context.cause])).toEqual([
      [30_000, 'misfire'],
      [40_000, 'schedule'],
    ]);
  });

  it('the same when the interrupted one is run again first: IGNORE drops what comes while it runs, and nothing else', async () => {
    const { rig, b } = await outage({ onInterrupted: 'rerun', onOverlap: 'IGNORE', onMisfire: 'run-all' });
    expect(rig.scheduled).toEqual([0, 0, 10_000, 20_000, 30_000, 40_000]);
    expect(skippedBy(b)).toEqual([]);
  });

  it('rerun: one that kills each of its leaders is given up', async () => {
    const rig = new JobRig();
    for (let at = 0; at < 5; at += 1) {
      const member = rig.member(`m${at}`);
      member.schedule({ job: 'send', every: 60_000, onInterrupted: 'rerun', maxReruns: 2 }, () => {
        member.kill();
        return new Promise(() => undefined);
      });
      await rig.runFor(4 * TTL_MS);
    }
    expect(rig.runs.map(({ member }) => member)).toEqual(['m0', 'm1', 'm2']);
    expect((await rig.status('send')).history).toMatchObject([{ outcome: 'interrupted' }]);
  });

  it('ask: the job waits until somebody has decided', async () => {
    const { rig, b } = await interrupted({ onInterrupted: 'ask' });
    await rig.runFor(30_000);
    expect(rig.runs).toHaveLength(1);
    expect(b.events).toMatchObject([{ kind: 'interrupted', policy: 'ask' }]);
    const waiting = await rig.status('send');
    expect(waiting.running).toMatchObject({ occurrence: 1, memberId: 'a' });
    expect(waiting.running?.interruptedAtMs).not.toBeNull();
  });

  it.each([
    ['rerun', 1],
    ['skip', 0],
  ] as const)('ask: `%s` is obeyed', async (answer, rerunCount) => {
    const rig = new JobRig();
    const [a, b] = [rig.member('a'), rig.member('b')];
    const options = { job: 'send', every: 3_600_000, onInterrupted: 'ask' as const };
    a.schedule(options, a.busy(5_000));
    await rig.until('it runs', () => rig.runs.length === 1);
    await rig.runFor(100);
    a.kill();
    const job = b.schedule(options);
    // Nothing to answer yet.
    expect(await rig.settle(job.answerInterrupted(answer))).toMatchObject({ kind: 'unchanged' });
    await rig.until('b asks', () => b.kinds().includes('interrupted'));
    expect(await rig.settle(job.answerInterrupted(answer))).toMatchObject({ kind: 'done' });
    await rig.runFor(3_000);
    expect(rig.runs.slice(1).map(({ context }) => context.isRerun)).toEqual(Array.from({ length: rerunCount }, () => true));
    expect((await rig.status('send')).history).toMatchObject([
      { occurrence: 1, outcome: answer === 'rerun' ? 'succeeded' : 'interrupted' },
    ]);
  });
});

describe('timeoutMs', () => {
  it('aborts an attempt that takes too long; it has failed, however it settles', async () => {
    const rig = new JobRig();
    const a = rig.member('a');
    const returned: unknown[] = [];
    a.schedule({ job: 'send', every: 60_000, maxCount: 1, timeoutMs: 500, retry: { maxAttempts: 2, intervalMs: 100 } }, async (run) => {
      await a
        .busy(2_000)(run)
        .catch(() => undefined);
      returned.push(run.context.signal.reason);
    });
    await rig.runFor(10_000);
    expect(rig.runs).toHaveLength(2);
    // It returns, and has failed all the same.
    expect(returned).toMatchObject([{ code: 'JOB_TIMED_OUT' }, { code: 'JOB_TIMED_OUT' }]);
    expect((await rig.status('send')).history).toMatchObject([{ outcome: 'timed-out', attempt: 2 }]);
  });

  it('what throws when it is aborted has timed out, too, and is told from what failed', async () => {
    const rig = new JobRig();
    const a = rig.member('a');
    a.schedule({ job: 'send', every: 60_000, maxCount: 1, timeoutMs: 500 }, a.busy(2_000));
    await rig.runFor(2_000);
    expect((await rig.status('send')).history).toMatchObject([
      { outcome: 'timed-out', error: expect.stringContaining('`timeoutMs` (500)') as string },
    ]);
  });

  it('F4: when it does not settle, the leader yields, and another member goes on with the next occurrence', async () => {
    const rig = new JobRig();
    const [a, b] = [rig.member('a'), rig.member('b')];
    const options = { job: 'send', every: 2_000, timeoutMs: 500, settleMs: 300 };
    a.schedule(options, () => new Promise(() => undefined));
    await rig.until('a runs it', () => rig.runs.length === 1);
    b.schedule(options);
    await rig.until('b runs it', () => rig.runs.at(-1)?.member === 'b', 4_000);
    expect(rig.runs.map(({ context }) => context.occurrence)).toEqual([1, 2]);
    expect(rig.runs[1]!.context.term).toBe(2);
    expect((await rig.status('send')).history[0]).toMatchObject({ occurrence: 1, outcome: 'hung', memberId: 'a' });
    // What hangs has nothing to say any more.
    await expect(rig.settle(rig.runs[0]!.context.checkpoint(1))).rejects.toMatchObject({ code: 'LEASE_NOT_HELD' });
    await expect(rig.runs[0]!.context.fenced(() => 1)).rejects.toMatchObject({ code: 'FENCED' });
  });

  it('another job that is deaf, too, does not keep the leader from yielding', async () => {
    const rig = new JobRig();
    const a = rig.member('a');
    a.schedule({ job: 'hangs', every: 60_000, timeoutMs: 500, settleMs: 300 }, () => new Promise(() => undefined));
    a.schedule({ job: 'deaf', every: 60_000, settleMs: 400 }, () => new Promise(() => undefined));
    await rig.until('it yields', () => a.coordinator.status().groups[0]?.state === 'standby' && rig.nowMs > 700, 2_000);
    expect((await rig.status('deaf')).running).toMatchObject({ occurrence: 1 });
  });

  it('the other jobs of the group are stopped before the leader yields, and found interrupted', async () => {
    const rig = new JobRig();
    const a = rig.member('a');
    let settledAtMs = 0;
    a.schedule({ job: 'hangs', every: 60_000, timeoutMs: 500, settleMs: 300 }, () => new Promise(() => undefined));
    a.schedule({ job: 'other', every: 60_000, onInterrupted: 'rerun' }, async (run) => {
      if (run.context.isRerun) return;
      await a
        .busy(5_000)(run)
        .finally(() => (settledAtMs = rig.nowMs));
    });
    await rig.until('it yields', () => a.coordinator.status().groups[0]?.state === 'standby' && rig.nowMs > 700, 5_000);
    expect(settledAtMs).toBeGreaterThan(0);
    expect(settledAtMs).toBeLessThanOrEqual(rig.nowMs);
    await rig.until('the other is begun again', () => rig.runs.some(({ context }) => context.isRerun), 10_000);
  });
});
