import { describe, expect, it } from 'vitest';
import { CountingClock } from '../test-support/counting-clock.js';
import { type RecordedCall, recordingStore } from '../test-support/recording-store.js';
import type { Observation, Observer } from './coordinator-types.js';
import { EventStream } from './event-stream.js';
import { MemoryDatabase, memoryLeaseStore, type StoreInstant } from './memory/index.js';
import { Migration } from './migration.js';
import { ObserverHub } from './observer-hub.js';
import { StoreCaller } from './store-caller.js';
import { type Fate, faultyStore, Scheduler, VirtualClock } from './testing/index.js';
import { resolveTimings } from './timings.js';

const TIMINGS = resolveTimings({ ttlMs: 100_000, heartbeatMs: 200, callDeadlineMs: 300 });
const SMOOTH: Fate = { deliverAfterMs: [5], replyAfterMs: 5 };

class Bench {
  readonly scheduler = new Scheduler();
  readonly virtual = new VirtualClock(this.scheduler);
  /** What the shortest timer takes. */
  timerMs = 0;
  readonly clock = new CountingClock({
    now: () => this.virtual.now(),
    schedule: (delayMs, callback) => this.virtual.schedule(Math.max(this.timerMs, delayMs), callback),
  });
  readonly database = new MemoryDatabase();
  readonly calls: RecordedCall[] = [];
  readonly hub: ObserverHub;
  fate: () => Fate = () => SMOOTH;

  constructor() {
    const memory = memoryLeaseStore({ database: this.database, clock: this.clock });
    const store = recordingStore(
      faultyStore(memory, { scheduler: this.scheduler, fate: () => this.fate() }),
      this.calls,
      () => this.scheduler.nowMs,
    );
    const caller = new StoreCaller(this.clock, new EventStream());
    this.hub = new ObserverHub(store, caller, new Migration(store, caller, false), this.clock, TIMINGS);
    for (const sessionId of ['s1', 's2'])
      this.database.openSession({ sessionId, memberId: `member of ${sessionId}`, ttlMs: 100_000 }, this.now);
  }

  get now(): StoreInstant {
    return this.clock.now().monotonicMs as StoreInstant;
  }

  /** Observes, and collects what it sees. */
  watch(groupId: string): { readonly observer: Observer; readonly seen: Observation[] } {
    const observer = this.hub.observe(groupId);
    const seen: Observation[] = [];
    void (async (): Promise<void> => {
      for await (const observation of observer) seen.push(observation);
    })();
    return { observer, seen };
  }
}

describe('the hub of observers', () => {
  it('looks at once, and then once per heartbeat from each answer, whatever the number of observers', async () => {
    const bench = new Bench();
    for (const groupId of ['a', 'b', 'a']) bench.hub.observe(groupId);
    await bench.scheduler.runFor(1_000);
    expect(bench.calls.map((call) => Math.round(call.atMs))).toEqual([0, 210, 420, 630, 840]);
    for (const call of bench.calls) expect(call.args[0]).toEqual(['a', 'b']);
    expect(bench.clock.waitingCount).toBe(1);
  });

  it('tells each observer of its own group, and only what changed', async () => {
    const bench = new Bench();
    const [a, b] = [bench.watch('a'), bench.watch('b')];
    await bench.scheduler.runFor(1_000);
    bench.database.claim('s1', ['a'], bench.now);
    await bench.scheduler.runFor(1_000);
    expect(b.seen).toEqual([{ groupId: 'b', leader: null, term: 0 }]);
    expect(a.seen).toEqual([
      { groupId: 'a', leader: null, term: 0 },
      { groupId: 'a', leader: { memberId: 'member of s1', sessionId: 's1', term: 1 }, term: 1 },
    ]);
    expect(a.observer.current).toEqual(a.seen[1]);
  });

  it('tells of a new term also when the same session holds it, and of a new holder', async () => {
    const bench = new Bench();
    const { seen } = bench.watch('a');
    for (const sessionId of ['s1', 's1', 's2']) {
      const [claimed] = bench.database.claim(sessionId, ['a'], bench.now);
      await bench.scheduler.runFor(250);
      bench.database.release(sessionId, [{ groupId: 'a', term: claimed!.kind === 'granted' ? claimed!.term : 0 }], bench.now);
    }
    await bench.scheduler.runFor(250);
    expect(seen.map(({ leader, term }) => [leader?.sessionId ?? null, term])).toEqual([
      ['s1', 1],
      ['s1', 2],
      ['s2', 3],
      [null, 3],
    ]);
  });

  it('never has two looks under way, and a wish that came meanwhile follows at once', async () => {
    const bench = new Bench();
    bench.fate = () => ({ deliverAfterMs: [50], replyAfterMs: 50 });
    bench.hub.observe('a');
    await bench.scheduler.runFor(10);
    for (let wish = 0; wish < 5; wish += 1) {
      bench.hub.readSoon();
      await bench.scheduler.runFor(10);
    }
    expect(bench.calls.length).toBe(1);
    await bench.scheduler.runFor(60);
    expect(bench.calls.length).toBe(2);
    expect(bench.calls[1]!.atMs).toBeLessThan(102);
  });

  it('wishes that come faster than a timer can fire do not put the look off', async () => {
    const bench = new Bench();
    bench.hub.observe('a');
    await bench.scheduler.runFor(30);
    bench.calls.length = 0;
    // Node's shortest timer takes a millisecond.
    bench.timerMs = 1;
    for (let wish = 0; wish < 100; wish += 1) {
      bench.hub.readSoon();
      await bench.scheduler.runFor(0.5);
    }
    expect(bench.calls.length).toBeGreaterThan(2);
    expect(bench.calls[0]!.atMs).toBeLessThan(32);
  });

  it('a wish of a hub that nobody uses touches nothing', async () => {
    const bench = new Bench();
    bench.hub.readSoon();
    await bench.scheduler.runFor(1_000);
    expect(bench.calls).toEqual([]);
    expect(bench.clock.setCount).toBe(0);
  });

  it('looks again a heartbeat after a look that failed', async () => {
    const bench = new Bench();
    bench.fate = () => ({ deliverAfterMs: [], replyAfterMs: null });
    const { seen } = bench.watch('a');
    await bench.scheduler.runFor(1_010);
    expect(bench.calls.map((call) => Math.round(call.atMs))).toEqual([0, 500, 1_000]);
    expect(seen).toEqual([]);
    bench.fate = () => SMOOTH;
    await bench.scheduler.runFor(600);
    expect(seen).toEqual([{ groupId: 'a', leader: null, term: 0 }]);
  });

  it('stops when the last observer is closed, also while a look is under way', async () => {
    const bench = new Bench();
    const [first, second] = [bench.hub.observe('a'), bench.hub.observe('a')];
    await bench.scheduler.runFor(1);
    first.close();
    first.close();
    second[Symbol.dispose]();
    await bench.scheduler.runFor(1_000);
    expect(bench.calls.length).toBe(1);
    expect(bench.clock.waitingCount).toBe(0);
    expect(second.current).toBeUndefined();
  });

  it('an observer ends when the last of its readers leaves, not before', async () => {
    const bench = new Bench();
    const observer = bench.hub.observe('a');
    const [first, second] = [observer[Symbol.asyncIterator](), observer[Symbol.asyncIterator]()];
    await bench.scheduler.runFor(20);
    await first.return!();
    bench.database.claim('s1', ['a'], bench.now);
    await bench.scheduler.runFor(250);
    expect((await second.next()).value).toMatchObject({ term: 0 });
    expect((await second.next()).value).toMatchObject({ term: 1 });
    await second.return!();
    await bench.scheduler.runFor(20);
    expect(bench.clock.waitingCount).toBe(0);
    // One that comes after the end is given the last observation, and the end.
    const late = observer[Symbol.asyncIterator]();
    expect((await late.next()).value).toMatchObject({ term: 1 });
    expect(await late.next()).toEqual({ value: undefined, done: true });
  });

  it('ends every observer when it is closed', async () => {
    const bench = new Bench();
    const readers = ['a', 'b'].map((groupId) => bench.hub.observe(groupId)[Symbol.asyncIterator]().next());
    bench.hub.close();
    expect(await Promise.all(readers)).toEqual([
      { value: undefined, done: true },
      { value: undefined, done: true },
    ]);
    expect(bench.clock.waitingCount).toBe(0);
  });
});
