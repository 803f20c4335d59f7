import { describe, expect, it } from 'vitest';
import { MemoryDatabase, memoryLeaseStore, type StoreInstant } from '../memory/index.js';
import type { LeaseStore } from '../lease-store.js';
import { type Fate, faultyStore, smoothFate } from './faulty-store.js';
import { Random } from './random.js';
import { Scheduler } from './scheduler.js';
import { VirtualClock } from './virtual-clock.js';

class Bench {
  readonly scheduler = new Scheduler();
  readonly clock = new VirtualClock(this.scheduler);
  readonly database = new MemoryDatabase();
  readonly memory = memoryLeaseStore({ database: this.database, clock: this.clock });
  readonly trace: string[] = [];
  readonly asked: string[] = [];
  fate: Fate = { deliverAfterMs: [10], replyAfterMs: 5 };
  readonly store: LeaseStore = faultyStore(this.memory, {
    scheduler: this.scheduler,
    fate: (operation) => {
      this.asked.push(operation);
      return this.fate;
    },
    receive: (callback) => this.clock.whenRunning(callback),
    onEvent: (text) => this.trace.push(text),
  });

  constructor() {
    this.database.openSession({ sessionId: 's1', memberId: 'a', ttlMs: 100_000 }, 0 as StoreInstant);
  }

  /** What a call comes to within a while, and when. */
  async outcome(call: Promise<unknown>, limitMs: number = 1_000): Promise<string> {
    let outcome = 'pending';
    call.then(
      (value) => {
        outcome = `${JSON.stringify(value)} at ${this.scheduler.nowMs}`;
      },
      (error: { readonly code?: string }) => {
        outcome = `${error.code} at ${this.scheduler.nowMs}`;
      },
    );
    await this.scheduler.runFor(limitMs);
    return outcome;
  }
}

describe('a faulty store', () => {
  it('delivers a statement and its answer when its fate says', async () => {
    const bench = new Bench();
    const claim = bench.store.claim('s1', ['jobs']);
    await bench.scheduler.runFor(9);
    expect(bench.database.leases.size).toBe(0);
    await bench.scheduler.runFor(1);
    expect(bench.database.leases.size).toBe(1);
    expect(await bench.outcome(claim)).toBe('[{"kind":"granted","groupId":"jobs","term":1,"fresh":true}] at 15');
    expect(bench.asked).toEqual(['claim']);
  });

  it('may lose a request: nothing happens, and nobody hears', async () => {
    const bench = new Bench();
    bench.fate = { deliverAfterMs: [], replyAfterMs: 5 };
    expect(await bench.outcome(bench.store.claim('s1', ['jobs']))).toBe('pending');
    expect(bench.database.leases.size).toBe(0);
    expect(bench.trace).toEqual(['claim: the request is lost']);
  });

  it('may lose a reply: it has happened, and nobody hears', async () => {
    const bench = new Bench();
    bench.fate = { deliverAfterMs: [10], replyAfterMs: null };
    expect(await bench.outcome(bench.store.claim('s1', ['jobs']))).toBe('pending');
    expect(bench.database.leases.get('jobs')).toEqual({ term: 1, holderId: 's1' });
    expect(bench.trace).toEqual(['claim: the reply is lost']);
  });

  it('may deliver a statement twice: the answer is that of the first time', async () => {
    const bench = new Bench();
    bench.fate = { deliverAfterMs: [10, 40], replyAfterMs: 5 };
    const claim = bench.store.claim('s1', ['jobs']);
    bench.scheduler.schedule(20, () => bench.database.release('s1', [{ groupId: 'jobs', term: 1 }], 20 as StoreInstant));
    expect(await bench.outcome(claim)).toContain('"term":1,"fresh":true');
    expect(bench.database.leases.get('jobs')).toEqual({ term: 2, holderId: 's1' });
    expect(bench.trace).toEqual(['claim: delivered again']);
  });

  it('T5: rejects at once when it is aborted, and the statement may still arrive', async () => {
    const bench = new Bench();
    const abort = new AbortController();
    const claim = bench.store.claim('s1', ['jobs'], { signal: abort.signal });
    bench.scheduler.schedule(5, () => abort.abort(new Error('the deadline')));
    expect(await bench.outcome(claim)).toBe('STORE_TIMEOUT at 5');
    await expect(claim).rejects.toMatchObject({ outcome: 'unknown', isRetryable: true, cause: { message: 'the deadline' } });
    expect(bench.database.leases.get('jobs')).toEqual({ term: 1, holderId: 's1' });
  });

  it('passes the store’s own faults on, as late as its answers', async () => {
    const bench = new Bench();
    expect(await bench.outcome(bench.store.openSession({ sessionId: 's1', memberId: 'a', ttlMs: 1 }))).toBe('STORE_SESSION_EXISTS at 15');
  });

  it('gives an answer to a paused process when it goes on, and to a dead one never', async () => {
    const bench = new Bench();
    bench.clock.pause();
    const claim = bench.store.claim('s1', ['jobs']);
    expect(await bench.outcome(claim, 100)).toBe('pending');
    bench.clock.resume();
    expect(await bench.outcome(claim, 100)).toContain('at 100');
    const read = bench.store.read(['jobs']);
    bench.clock.kill();
    expect(await bench.outcome(read)).toBe('pending');
  });

  it('passes every method on, with what it was given', async () => {
    const bench = new Bench();
    const { store } = bench;
    const calls: (readonly [string, () => Promise<unknown>])[] = [
      ['migrate', () => store.migrate()],
      ['openSession', () => store.openSession({ sessionId: 's2', memberId: 'b', ttlMs: 50_000 })],
      ['heartbeat', () => store.heartbeat({ sessionId: 's2', holders: ['s1'] })],
      ['contend', () => store.contend('s2', ['jobs'])],
      ['claim', () => store.claim('s2', ['jobs'])],
      ['held', () => store.held('s2')],
      ['release', () => store.release('s2', [{ groupId: 'jobs', term: 1 }])],
      ['read', () => store.read(['jobs'])],
      ['withdraw', () => store.withdraw('s2', ['jobs'])],
      ['members', () => store.members()],
      ['writeJob', () => store.writeJob!({ groupId: 'jobs', jobId: 'j', expectedVersion: 0, writeId: 'w', record: 'r', lease: null })],
      ['readJobs', () => store.readJobs!('jobs')],
      ['closeSession', () => store.closeSession('s2')],
    ];
    const outcomes = new Map<string, string>();
    for (const [operation, call] of calls) outcomes.set(operation, await bench.outcome(call(), 20));
    expect(bench.asked).toEqual(calls.map(([operation]) => operation));
    expect(outcomes.get('heartbeat')).toContain('"alive":true');
    expect(outcomes.get('held')).toContain('"leases":[{"groupId":"jobs","term":1}]');
    expect(outcomes.get('release')).toContain('"released"');
    expect(outcomes.get('read')).toContain('"contenderCount":1');
    expect(outcomes.get('writeJob')).toContain('"written"');
    expect(outcomes.get('readJobs')).toContain('"record":"r"');
    expect(outcomes.get('members')).toContain('"memberId":"b"');
    expect(bench.database.sessions.get('s2')?.isClosed).toBe(true);
  });

  it('W1: has no watch, and says so; the store below it is closed with it', async () => {
    const { store, memory } = new Bench();
    expect(store.capabilities).toEqual({ ...memory.capabilities, watch: false, fencing: false });
    expect('watch' in store).toBe(false);
    await store.close();
    await expect(memory.members()).rejects.toMatchObject({ code: 'STORE_CLOSED' });
  });
});

describe('a smooth fate', () => {
  it('delivers once, and answers, within its bounds', () => {
    const random = new Random(3);
    for (let draw = 0; draw < 100; draw += 1) {
      const { deliverAfterMs, replyAfterMs } = smoothFate(random, 2, 4);
      expect(deliverAfterMs.length).toBe(1);
      for (const ms of [...deliverAfterMs, replyAfterMs!]) expect(ms >= 2 && ms < 4).toBe(true);
    }
  });
});
