import { describe, expect, it } from 'vitest';
import { CoordinatorRig, HEARTBEAT_MS, TTL_MS } from '../test-support/coordinator-rig.js';
import { CountingClock } from '../test-support/counting-clock.js';
import { type RecordedCall, recordingStore } from '../test-support/recording-store.js';
import { AbandonedSessions } from './abandoned-sessions.js';
import { EventStream } from './event-stream.js';
import { memoryLeaseStore } from './memory/index.js';
import { StoreCaller } from './store-caller.js';
import { faultyStore, Scheduler, VirtualClock } from './testing/index.js';
import { resolveTimings } from './timings.js';

const TIMINGS = resolveTimings({ ttlMs: 1_000, heartbeatMs: 200, safetyMarginMs: 100, callDeadlineMs: 200 });

class Bench {
  readonly scheduler = new Scheduler();
  readonly clock = new CountingClock(new VirtualClock(this.scheduler));
  readonly calls: RecordedCall[] = [];
  isDown = false;
  readonly sessions: AbandonedSessions;

  constructor() {
    const faulty = faultyStore(memoryLeaseStore({ clock: this.clock }), {
      scheduler: this.scheduler,
      fate: () => ({ deliverAfterMs: this.isDown ? [] : [1], replyAfterMs: 1 }),
    });
    const store = recordingStore(faulty, this.calls, () => this.scheduler.nowMs);
    this.sessions = new AbandonedSessions(store, new StoreCaller(this.clock, new EventStream()), this.clock, TIMINGS, () => 0.5);
  }

  get closed(): unknown[] {
    return this.calls.map((call) => call.args[0]);
  }
}

describe('sessions that are no longer trusted', () => {
  it('T9: are closed in the store at once when no work of theirs is under way', async () => {
    const bench = new Bench();
    bench.sessions.abandon('s1');
    await bench.scheduler.runFor(5_000);
    expect(bench.calls.map((call) => call.operation)).toEqual(['closeSession']);
    expect(bench.closed).toEqual(['s1']);
    expect(bench.clock.waitingCount).toBe(0);
  });

  it('T7: not before the last work of theirs has settled, and work of others does not matter', async () => {
    const bench = new Bench();
    for (const sessionId of ['s1', 's1', 's2']) bench.sessions.workStarted(sessionId);
    bench.sessions.abandon('s1');
    bench.sessions.workSettled('s1');
    await bench.scheduler.runFor(500);
    expect(bench.closed).toEqual([]);
    bench.sessions.workSettled('s1');
    await bench.scheduler.runFor(500);
    expect(bench.closed).toEqual(['s1']);
    bench.sessions.workSettled('s2');
    await bench.scheduler.runFor(500);
    expect(bench.closed).toEqual(['s1']);
  });

  it('are not closed when they have expired by themselves meanwhile', async () => {
    const bench = new Bench();
    bench.sessions.workStarted('s1');
    bench.sessions.abandon('s1');
    await bench.scheduler.runFor(TIMINGS.ttlMs + TIMINGS.callDeadlineMs);
    bench.sessions.workSettled('s1');
    await bench.scheduler.runFor(500);
    expect(bench.closed).toEqual([]);
  });

  it('T5: the close is repeated until it is definite, or the session has expired', async () => {
    const bench = new Bench();
    bench.isDown = true;
    bench.sessions.abandon('s1');
    await bench.scheduler.runFor(500);
    expect(bench.closed.length).toBeGreaterThan(1);
    bench.isDown = false;
    await bench.scheduler.runFor(500);
    const count = bench.closed.length;
    await bench.scheduler.runFor(5_000);
    expect(bench.closed.length).toBe(count);
    bench.isDown = true;
    bench.sessions.abandon('s2');
    await bench.scheduler.runFor(10_000);
    expect(bench.calls.at(-1)!.atMs).toBeLessThan(6_000 + TIMINGS.ttlMs + TIMINGS.callDeadlineMs);
    expect(bench.clock.waitingCount).toBe(0);
  });

  it('F14: at the end nothing is repeated any more, and what is under way is awaited', async () => {
    const bench = new Bench();
    bench.isDown = true;
    bench.sessions.abandon('s1');
    await bench.scheduler.runFor(50);
    let isFinished = false;
    const finishing = bench.sessions.finish().then(() => {
      isFinished = true;
    });
    await bench.scheduler.runFor(100);
    expect(isFinished).toBe(false);
    await bench.scheduler.runFor(60);
    expect(isFinished).toBe(true);
    await finishing;
    expect(bench.closed).toEqual(['s1']);
    expect(bench.clock.waitingCount).toBe(0);
  });
});

describe('a leader that was away', () => {
  it('T9: does not leave its group without a leader for the time by which a late heartbeat has extended its session', async () => {
    const rig = new CoordinatorRig();
    const a = rig.start('a');
    void a.lead('jobs');
    await rig.until('a leads', () => a.isLeading('jobs'));
    const b = rig.start('b');
    void b.lead('jobs');
    await rig.until('b stands by', () => b.group('jobs')?.leader != null);
    await rig.runFor(2 * TTL_MS);
    // Its heartbeats arrive, but their answers are lost.
    a.fate = (operation) => ({ deliverAfterMs: [1], replyAfterMs: operation === 'heartbeat' ? null : 1 });
    await rig.until('a has lost its trust', () => a.work('jobs').run.isSettled, 2 * TTL_MS);
    await rig.until('somebody leads', () => a.isLeading('jobs') || b.isLeading('jobs'), HEARTBEAT_MS + 10);
    expect(rig.database.leases.get('jobs')!.term).toBe(2);
  });
});
