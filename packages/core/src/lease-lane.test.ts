import { describe, expect, it } from 'vitest';
import { type RecordedCall, recordingStore } from '../test-support/recording-store.js';
import { EventStream } from './event-stream.js';
import { LeaseLane } from './lease-lane.js';
import type { ClaimResult, HeldLeases, LeaseKey, LeaseStore, LeaseView, ReleaseResult } from './lease-store.js';
import { MemoryDatabase, memoryLeaseStore, type StoreInstant } from './memory/index.js';
import { StoreCaller } from './store-caller.js';
import { type Fate, faultyStore, Scheduler, VirtualClock } from './testing/index.js';
import { resolveTimings } from './timings.js';

const TIMINGS = resolveTimings({ ttlMs: 100_000, heartbeatMs: 200, callDeadlineMs: 300 });
const SMOOTH: Fate = { deliverAfterMs: [1], replyAfterMs: 1 };
const REQUEST_LOST: Fate = { deliverAfterMs: [], replyAfterMs: null };
const REPLY_LOST: Fate = { deliverAfterMs: [1], replyAfterMs: null };

/** A lane over a bad network, with a session `s1` that is live. */
class Bench {
  readonly scheduler = new Scheduler();
  readonly clock = new VirtualClock(this.scheduler);
  readonly database = new MemoryDatabase();
  readonly calls: RecordedCall[] = [];
  readonly events = new EventStream();
  readonly claimed: ClaimResult[] = [];
  readonly released: ReleaseResult[] = [];
  readonly seen: LeaseView[] = [];
  readonly held: HeldLeases[] = [];
  readonly lane: LeaseLane;
  onClaimed: () => void = () => undefined;
  fate: (operation: string, index: number) => Fate = () => SMOOTH;

  constructor(wrap: (store: LeaseStore) => LeaseStore = (store) => store) {
    const counts = new Map<string, number>();
    const store = recordingStore(
      wrap(
        faultyStore(memoryLeaseStore({ database: this.database, clock: this.clock }), {
          scheduler: this.scheduler,
          fate: (operation) => {
            const index = counts.get(operation) ?? 0;
            counts.set(operation, index + 1);
            return this.fate(operation, index);
          },
        }),
      ),
      this.calls,
      () => this.scheduler.nowMs,
    );
    this.lane = new LeaseLane(store, new StoreCaller(this.clock, this.events), this.clock, TIMINGS, () => 0.5, {
      onClaimed: (_, results) => {
        this.claimed.push(...results);
        this.onClaimed();
      },
      onReleased: (_, results) => this.released.push(...results),
      onRead: (_, views) => this.seen.push(...views),
      onHeld: (_, held) => this.held.push(held),
    });
    for (const sessionId of ['s1', 's2', 'other']) {
      this.database.openSession({ sessionId, memberId: sessionId, ttlMs: TIMINGS.ttlMs }, this.storeNow);
    }
    this.lane.start('s1');
  }

  get storeNow(): StoreInstant {
    return this.clock.now().monotonicMs as StoreInstant;
  }

  get operations(): string[] {
    return this.calls.map((call) => call.operation);
  }

  /** Runs until nothing is left to do. */
  async settle(): Promise<void> {
    await this.scheduler.runFor(20_000);
  }

  async lead(groupId: string): Promise<number> {
    this.lane.claim(groupId);
    await this.settle();
    const result = this.claimed.at(-1)!;
    if (result.kind !== 'granted' || result.groupId !== groupId) throw new Error(`${groupId} was not granted`);
    return result.term;
  }

  /** A heartbeat that compares the counts, as the session shell does it. */
  compare(): void {
    const { grantCount } = this.database.held('s1', this.storeNow);
    this.lane.compareGrants(grantCount, this.lane.mark());
  }
}

const LOSSES: readonly (readonly [string, Fate])[] = [
  ['the request', REQUEST_LOST],
  ['the reply', REPLY_LOST],
  ['the time', { deliverAfterMs: [1], replyAfterMs: 5_000 }],
];

describe('T5, T9: what is lost', () => {
  it.each(LOSSES)('a claim is repeated until its answer is definite: %s', async (_, loss) => {
    const bench = new Bench();
    bench.fate = (operation, index) => (operation === 'claim' && index < 3 ? loss : SMOOTH);
    bench.lane.claim('jobs');
    await bench.settle();
    expect(bench.claimed).toMatchObject([{ kind: 'granted', groupId: 'jobs', term: 1 }]);
    expect(bench.operations).toEqual(['claim', 'claim', 'claim', 'claim']);
    expect(bench.database.leases.get('jobs')).toEqual({ term: 1, holderId: 's1' });
  });

  it.each(LOSSES)('a release is repeated until its answer is definite: %s', async (_, loss) => {
    const bench = new Bench();
    const term = await bench.lead('jobs');
    bench.calls.length = 0;
    bench.fate = (operation, index) => (operation === 'release' && index < 3 ? loss : SMOOTH);
    bench.lane.release({ groupId: 'jobs', term });
    await bench.settle();
    expect(bench.released.map((result) => result.groupId)).toEqual(['jobs']);
    expect(bench.operations).toEqual(['release', 'release', 'release', 'release']);
    expect(bench.database.leases.get('jobs')).toEqual({ term: 1, holderId: null });
  });

  it.each(LOSSES)('a look is repeated: %s', async (_, loss) => {
    const bench = new Bench();
    bench.fate = (operation, index) => (operation === 'read' && index < 2 ? loss : SMOOTH);
    bench.lane.read('jobs');
    await bench.settle();
    expect(bench.seen).toMatchObject([{ groupId: 'jobs', term: 0, holder: null }]);
    expect(bench.operations).toEqual(['read', 'read', 'read']);
  });

  it.each(LOSSES)('so is the note that it contends, and its end: %s', async (_, loss) => {
    const bench = new Bench();
    bench.fate = (_operation, index) => (index < 2 ? loss : SMOOTH);
    bench.lane.contend('jobs');
    await bench.settle();
    expect([...bench.database.sessions.get('s1')!.contends]).toEqual(['jobs']);
    bench.lane.withdraw('jobs');
    await bench.settle();
    expect([...bench.database.sessions.get('s1')!.contends]).toEqual([]);
    expect(bench.operations).toEqual(['contend', 'contend', 'contend', 'withdraw', 'withdraw', 'withdraw']);
  });

  it('is tried again more and more slowly, at most once per heartbeat', async () => {
    const bench = new Bench();
    bench.fate = () => REQUEST_LOST;
    bench.lane.claim('jobs');
    await bench.scheduler.runFor(20_000);
    const sentAtMs = bench.calls.map((call) => call.atMs);
    const waits = sentAtMs.slice(1).map((at, index) => at - sentAtMs[index]! - TIMINGS.callDeadlineMs);
    for (const waitMs of waits) expect(waitMs).toBeLessThanOrEqual(TIMINGS.heartbeatMs + 1);
    expect(waits[0]).toBeLessThan(20);
    expect(waits.at(-1)).toBeGreaterThan(100);
  });

  it('one call that never succeeds does not hold up the others', async () => {
    const bench = new Bench();
    const term = await bench.lead('mine');
    bench.fate = (operation) => (operation === 'release' ? REQUEST_LOST : SMOOTH);
    bench.lane.release({ groupId: 'mine', term });
    bench.lane.claim('jobs');
    bench.lane.read('jobs');
    await bench.scheduler.runFor(2_000);
    expect(bench.claimed.at(-1)).toMatchObject({ kind: 'granted', groupId: 'jobs' });
    expect(bench.seen).toMatchObject([{ groupId: 'jobs' }]);
    expect(bench.calls.filter((call) => call.operation === 'release').length).toBeGreaterThan(1);
  });

  it('an answer that is too short is none', async () => {
    let shortCount = 0;
    const bench = new Bench((store) => ({
      ...store,
      claim: async (...args) => {
        const results = await store.claim(...args);
        shortCount += 1;
        return shortCount === 1 ? results.slice(1) : results;
      },
    }));
    bench.lane.claim('a');
    bench.lane.claim('b');
    await bench.settle();
    expect(bench.claimed).toMatchObject([
      { groupId: 'a', kind: 'granted', fresh: false },
      { groupId: 'b', kind: 'granted', fresh: false },
    ]);
    expect(shortCount).toBe(2);
  });
});

describe('the trap of the late release', () => {
  it('a group is not claimed while a release of it is unanswered; the late one then matches no lease', async () => {
    const bench = new Bench();
    const term = await bench.lead('jobs');
    bench.calls.length = 0;
    // The first release arrives when the group is led again.
    bench.fate = (operation, index) => (operation === 'release' && index === 0 ? { deliverAfterMs: [3_000], replyAfterMs: 1 } : SMOOTH);
    bench.lane.release({ groupId: 'jobs', term });
    bench.lane.claim('jobs');
    await bench.settle();
    expect(bench.operations).toEqual(['release', 'release', 'claim']);
    expect(bench.claimed.at(-1)).toEqual({ kind: 'granted', groupId: 'jobs', term: 2, fresh: true });
    expect(bench.database.leases.get('jobs')).toEqual({ term: 2, holderId: 's1' });
  });

  it('other groups are claimed meanwhile', async () => {
    const bench = new Bench();
    const term = await bench.lead('jobs');
    bench.fate = (operation) => (operation === 'release' ? REQUEST_LOST : SMOOTH);
    bench.lane.release({ groupId: 'jobs', term });
    bench.lane.claim('jobs');
    bench.lane.claim('mail');
    await bench.scheduler.runFor(3_000);
    expect(bench.claimed.map((result) => result.groupId)).toEqual(['jobs', 'mail']);
    for (const call of bench.calls.slice(1).filter(({ operation }) => operation === 'claim')) expect(call.args[1]).toEqual(['mail']);
  });

  it('several terms of one group are released together, each once', async () => {
    const bench = new Bench();
    await bench.lead('jobs');
    for (const term of [1, 1, 2]) bench.lane.release({ groupId: 'jobs', term });
    await bench.settle();
    expect(bench.released).toEqual([
      { groupId: 'jobs', term: 1, kind: 'released' },
      { groupId: 'jobs', term: 2, kind: 'not-held' },
    ]);
    expect(bench.calls.filter((call) => call.operation === 'release').length).toBe(1);
  });
});

describe('the trap of the late claim', () => {
  it('a grant that nobody heard of shows in the count of the next heartbeat, and what is held is read', async () => {
    const bench = new Bench();
    await bench.lead('jobs');
    bench.compare();
    await bench.settle();
    expect(bench.held).toEqual([]);
    // A claim of an earlier time lands now.
    bench.database.claim('s1', ['late'], bench.storeNow);
    bench.compare();
    await bench.settle();
    expect(bench.held).toEqual([
      {
        alive: true,
        grantCount: 2,
        leases: expect.arrayContaining([
          { groupId: 'jobs', term: 1 },
          { groupId: 'late', term: 1 },
        ]) as LeaseKey[],
      },
    ]);
    // That settles the count.
    bench.compare();
    await bench.settle();
    expect(bench.held.length).toBe(1);
  });

  it('the reply to another claim does not mask it', async () => {
    const bench = new Bench();
    await bench.lead('jobs');
    bench.database.claim('s1', ['late'], bench.storeNow);
    await bench.lead('mail');
    bench.compare();
    await bench.settle();
    expect(bench.held.length).toBe(1);
    expect(bench.held[0]!.leases.length).toBe(3);
  });

  it('a lease that was held already is not counted again (L3)', async () => {
    const bench = new Bench();
    bench.fate = (operation, index) => (operation === 'claim' && index === 0 ? REPLY_LOST : SMOOTH);
    await bench.lead('jobs');
    expect(bench.claimed).toMatchObject([{ fresh: false, term: 1 }]);
    // The store has counted the grant that was lost: reading what is held is right, once.
    bench.compare();
    await bench.settle();
    expect(bench.held.length).toBe(1);
    bench.compare();
    await bench.settle();
    expect(bench.held.length).toBe(1);
  });

  it('a count that was taken while a claim was under way proves nothing, but not for longer than three heartbeats at their interval, however many there were', async () => {
    const bench = new Bench();
    const compareInClaim = async (groupId: string): Promise<void> => {
      const mark = bench.lane.mark();
      bench.lane.claim(groupId);
      await bench.scheduler.runFor(20);
      bench.lane.compareGrants(99, mark);
      await bench.scheduler.runFor(20);
    };
    for (let round = 0; round < 6; round += 1) await compareInClaim(`group-${round}`);
    expect(bench.scheduler.nowMs).toBeGreaterThan(TIMINGS.heartbeatMs);
    expect(bench.held).toEqual([]);
    await bench.scheduler.runFor(TIMINGS.heartbeatMs);
    await compareInClaim('one-more');
    expect(bench.held.length).toBe(1);
  });

  it.each(LOSSES)('what is held is read until the answer is definite: %s', async (_, loss) => {
    const bench = new Bench();
    bench.fate = (operation, index) => (operation === 'held' && index < 2 ? loss : SMOOTH);
    bench.database.claim('s1', ['late'], bench.storeNow);
    bench.compare();
    await bench.settle();
    expect(bench.held.length).toBe(1);
    expect(bench.operations).toEqual(['held', 'held', 'held']);
  });
});

describe('the lane', () => {
  it('sends one call at a time, and what waits meanwhile goes along with the next', async () => {
    const bench = new Bench();
    bench.lane.claim('a');
    await bench.scheduler.runFor(1);
    for (const groupId of ['b', 'c', 'd']) bench.lane.claim(groupId);
    bench.lane.read('x');
    await bench.settle();
    expect(bench.calls.map(({ operation, args }) => [operation, args[operation === 'read' ? 0 : 1]])).toEqual([
      ['claim', ['a']],
      ['claim', ['b', 'c', 'd']],
      ['read', ['x']],
    ]);
    for (const [index, call] of bench.calls.slice(1).entries()) expect(call.atMs).toBeGreaterThanOrEqual(bench.calls[index]!.atMs + 2);
  });

  it('makes one batch of a burst, and of very many groups a few', async () => {
    const bench = new Bench();
    for (let index = 0; index < 12_000; index += 1) bench.lane.claim(`group-${index}`);
    await bench.settle();
    expect(bench.calls.map((call) => (call.args[1] as readonly string[]).length)).toEqual(Array.from({ length: 6 }, () => 2_000));
    expect(bench.claimed.length).toBe(12_000);
  });

  it('has the next claim under way when it tells of the last one: works begin while the store grants more', async () => {
    let sentCount = 0;
    const bench = new Bench((store) => ({
      ...store,
      // As stores do: they wait for a connection, for a turn.
      claim: async (...values) => {
        for (let awaits = 0; awaits < 10; awaits += 1) await Promise.resolve();
        sentCount += 1;
        return await store.claim(...values);
      },
    }));
    const sentWhenTold: number[] = [];
    bench.onClaimed = () => sentWhenTold.push(sentCount);
    for (let index = 0; index < 6_000; index += 1) bench.lane.claim(`group-${index}`);
    await bench.settle();
    expect(sentWhenTold).toEqual([2, 3, 3]);
  });

  it('tells of what was answered in the order of the answers', async () => {
    // Answers within the turn of the event loop in which it is asked.
    const bench: Bench = new Bench((store) => ({ ...store, held: () => Promise.resolve(bench.database.held('s1', bench.storeNow)) }));
    const told: string[] = [];
    bench.onClaimed = () => told.push(`claimed ${bench.claimed.length}, held ${bench.held.length}`);
    for (let index = 0; index < 4_000; index += 1) bench.lane.claim(`group-${index}`);
    await bench.scheduler.runFor(0.5);
    bench.lane.lookAtHeld();
    await bench.settle();
    expect(bench.operations).toEqual(['claim', 'held', 'claim']);
    expect(told).toEqual(['claimed 2000, held 0', 'claimed 4000, held 1']);
  });

  it('tells of nothing that was answered to a session that is over', async () => {
    const bench = new Bench();
    for (let index = 0; index < 4_000; index += 1) bench.lane.claim(`group-${index}`);
    while (bench.calls.length < 2) await bench.scheduler.runFor(0.5);
    bench.lane.stop();
    await bench.settle();
    expect(bench.claimed).toEqual([]);
  });

  it('releases before it claims', async () => {
    const bench = new Bench();
    const term = await bench.lead('jobs');
    bench.calls.length = 0;
    bench.lane.claim('mail');
    bench.lane.release({ groupId: 'jobs', term });
    await bench.settle();
    expect(bench.operations).toEqual(['release', 'claim']);
  });

  it('a look that is asked for while one is under way is a new one', async () => {
    const bench = new Bench();
    bench.lane.read('jobs');
    await bench.scheduler.runFor(1);
    bench.lane.read('jobs');
    await bench.settle();
    expect(bench.operations).toEqual(['read', 'read']);
  });

  it('the last word counts: contending that was taken back before it was sent is not sent', async () => {
    const bench = new Bench();
    bench.lane.contend('jobs');
    bench.lane.withdraw('jobs');
    await bench.settle();
    expect(bench.operations).toEqual(['withdraw']);
  });

  it('T10: forgets what waits, and the answer of what is under way, when its session is over', async () => {
    const bench = new Bench();
    bench.lane.claim('a');
    await bench.scheduler.runFor(1);
    bench.lane.claim('b');
    bench.lane.release({ groupId: 'c', term: 1 });
    bench.lane.stop();
    await bench.settle();
    expect(bench.operations).toEqual(['claim']);
    expect(bench.claimed).toEqual([]);
    expect(bench.released).toEqual([]);
  });

  it('T10: works for the next session, and an answer to the one before is not taken for it', async () => {
    const bench = new Bench();
    await bench.lead('mine');
    bench.lane.claim('a');
    await bench.scheduler.runFor(1);
    bench.lane.start('s2');
    bench.lane.claim('b');
    await bench.settle();
    expect(bench.claimed).toMatchObject([{ groupId: 'mine' }, { groupId: 'b', term: 1 }]);
    expect(bench.calls.map((call) => call.args[0])).toEqual(['s1', 's1', 's2']);
    // The count of the new session begins at nothing.
    bench.lane.compareGrants(1, bench.lane.mark());
    await bench.settle();
    expect(bench.held).toEqual([]);
  });

  it('ending a call because its session is over is no fault of the store', async () => {
    const bench = new Bench();
    const faults: unknown[] = [];
    bench.events.on('store-fault', (event) => faults.push(event));
    bench.fate = () => REQUEST_LOST;
    bench.lane.claim('a');
    await bench.scheduler.runFor(1);
    bench.lane.stop();
    await bench.settle();
    expect(faults).toEqual([]);
  });
});
