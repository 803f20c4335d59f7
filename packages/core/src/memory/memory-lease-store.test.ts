import { describe, expect, it } from 'vitest';
import { StoreError, WbOptionError } from '../errors.js';
import { MAX_STANDBY_RANK, type HeartbeatResult, type LeaseHint, type LeaseStore } from '../lease-store.js';
import { Scheduler, VirtualClock } from '../testing/index.js';
import { MemoryDatabase } from './memory-database.js';
import { memoryLeaseStore } from './memory-lease-store.js';

const TTL_MS = 1_000;
const RETENTION_MS = 5_000;

/** Two clients of one database, in virtual time. */
class Bench {
  readonly scheduler = new Scheduler();
  readonly clock = new VirtualClock(this.scheduler);
  readonly database = new MemoryDatabase(RETENTION_MS);
  readonly store = this.client();
  readonly other = this.client();

  client(): LeaseStore {
    return memoryLeaseStore({ database: this.database, clock: this.clock });
  }

  /** Lets time pass. */
  async pass(ms: number): Promise<void> {
    await this.scheduler.runFor(ms);
  }

  async open(...sessionIds: string[]): Promise<void> {
    for (const sessionId of sessionIds) await this.store.openSession({ sessionId, memberId: `member ${sessionId}`, ttlMs: TTL_MS });
  }

  async heartbeat(sessionId: string, ...holders: string[]): Promise<HeartbeatResult> {
    return await this.store.heartbeat({ sessionId, holders });
  }
}

const dead = { alive: false };
const granted = (groupId: string, term: number, fresh: boolean = true): object => ({ kind: 'granted', groupId, term, fresh });

describe('sessions of the memory store', () => {
  it('S1: a heartbeat extends a live session to now + TTL', async () => {
    const bench = new Bench();
    await bench.open('s1');
    await bench.pass(TTL_MS - 1);
    expect(await bench.heartbeat('s1')).toMatchObject({ alive: true });
    await bench.pass(TTL_MS - 1);
    expect(await bench.heartbeat('s1')).toMatchObject({ alive: true });
    expect(await bench.store.members()).toMatchObject([{ sessionId: 's1', remainingMs: TTL_MS }]);
  });

  it('S2: an expired session is refused, and never lives again; it is live before its expiry and dead from it on', async () => {
    const bench = new Bench();
    await bench.open('s1');
    await bench.pass(TTL_MS);
    expect(await bench.heartbeat('s1')).toEqual(dead);
    expect(await bench.heartbeat('s1')).toEqual(dead);
    expect(await bench.store.claim('s1', ['jobs'])).toEqual([{ kind: 'refused', groupId: 'jobs', reason: 'session-dead' }]);
    expect(await bench.store.held('s1')).toEqual({ alive: false, grantCount: 0, leases: [] });
  });

  it('S2: so is a closed one, and one that was never opened', async () => {
    const bench = new Bench();
    await bench.open('s1');
    await bench.store.closeSession('s1');
    for (const sessionId of ['s1', 'unknown']) {
      expect(await bench.heartbeat(sessionId)).toEqual(dead);
      expect(await bench.store.claim(sessionId, ['jobs'])).toMatchObject([{ reason: 'session-dead' }]);
      expect(await bench.store.held(sessionId)).toMatchObject(dead);
    }
  });

  it('S2: the id of a session is never used again, not even of a dead one', async () => {
    const bench = new Bench();
    await bench.open('s1', 's2');
    await bench.store.closeSession('s2');
    for (const sessionId of ['s1', 's2']) {
      await expect(bench.other.openSession({ sessionId, memberId: 'b', ttlMs: TTL_MS })).rejects.toMatchObject({
        code: 'STORE_SESSION_EXISTS',
        outcome: 'none',
      });
    }
    expect(await bench.heartbeat('s2')).toEqual(dead);
  });

  it('S3: closing a session frees every group that it held, at once; closing it again, or one that is unknown, is no fault', async () => {
    const bench = new Bench();
    await bench.open('s1', 's2');
    await bench.store.claim('s1', ['a', 'b']);
    await bench.store.closeSession('s1');
    await bench.store.closeSession('s1');
    await bench.store.closeSession('unknown');
    expect(await bench.other.read(['a', 'b'])).toMatchObject([
      { term: 1, holder: null },
      { term: 1, holder: null },
    ]);
    expect(await bench.other.claim('s2', ['a', 'b'])).toEqual([granted('a', 2), granted('b', 2)]);
  });

  it('S4, F19: dead sessions are pruned when another is opened, and terms go on as before (L2)', async () => {
    const bench = new Bench();
    await bench.open('s1');
    await bench.store.claim('s1', ['jobs']);
    await bench.pass(TTL_MS + RETENTION_MS - 1);
    await bench.open('s2');
    expect([...bench.database.sessions.keys()]).toEqual(['s1', 's2']);
    await bench.pass(1);
    await bench.open('s3');
    expect([...bench.database.sessions.keys()]).toEqual(['s2', 's3']);
    expect(await bench.heartbeat('s1')).toEqual(dead);
    expect(await bench.store.claim('s3', ['jobs'])).toEqual([granted('jobs', 2)]);
  });

  it('S4: pruning takes nothing from a session that lives', async () => {
    const bench = new Bench();
    await bench.open('s1');
    await bench.store.claim('s1', ['jobs']);
    for (let beat = 0; beat < 20; beat += 1) {
      await bench.pass(TTL_MS - 1);
      expect(await bench.heartbeat('s1')).toMatchObject({ alive: true });
    }
    await bench.open('s2');
    expect(await bench.store.claim('s2', ['jobs'])).toMatchObject([{ kind: 'refused', reason: 'held' }]);
  });
});

describe('leases of the memory store', () => {
  it('L1: a claim is granted if the group is free: never held, released, or held by a session that is dead', async () => {
    const bench = new Bench();
    await bench.open('s1', 's2');
    expect(await bench.store.claim('s1', ['jobs'])).toEqual([granted('jobs', 1)]);
    await bench.store.release('s1', [{ groupId: 'jobs', term: 1 }]);
    expect(await bench.store.claim('s1', ['jobs'])).toEqual([granted('jobs', 2)]);
    await bench.pass(TTL_MS / 2);
    await bench.heartbeat('s2');
    await bench.pass(TTL_MS / 2);
    expect(await bench.other.claim('s2', ['jobs'])).toEqual([granted('jobs', 3)]);
  });

  it('L1: and refused with its holder if it is not', async () => {
    const bench = new Bench();
    await bench.open('s1', 's2');
    await bench.store.claim('s1', ['jobs']);
    await bench.pass(300);
    expect(await bench.other.claim('s2', ['jobs'])).toEqual([
      {
        kind: 'refused',
        groupId: 'jobs',
        reason: 'held',
        holder: { sessionId: 's1', memberId: 'member s1', term: 1, remainingMs: TTL_MS - 300, releaseCount: 0 },
      },
    ]);
    expect(bench.database.leases.get('jobs')).toEqual({ term: 1, holderId: 's1' });
  });

  it('L2: each grant of a free group raises its term by exactly one, whoever claims; a refused claim does not', async () => {
    const bench = new Bench();
    await bench.open('s1', 's2');
    for (let term = 1; term <= 9; term += 1) {
      const [winner, loser] = term % 3 === 0 ? ['s2', 's1'] : ['s1', 's2'];
      expect(await bench.store.claim(winner, ['jobs'])).toEqual([granted('jobs', term)]);
      expect(await bench.store.claim(loser, ['jobs'])).toMatchObject([{ kind: 'refused' }]);
      expect(await bench.store.release(winner, [{ groupId: 'jobs', term }])).toEqual([{ groupId: 'jobs', term, kind: 'released' }]);
    }
  });

  it('L3: the claim of the holder is granted again with the same term, is not fresh, and does not stack', async () => {
    const bench = new Bench();
    await bench.open('s1', 's2');
    await bench.store.claim('s1', ['jobs']);
    expect(await bench.store.claim('s1', ['jobs'])).toEqual([granted('jobs', 1, false)]);
    expect(await bench.store.held('s1')).toEqual({ alive: true, grantCount: 1, leases: [{ groupId: 'jobs', term: 1 }] });
    await bench.store.release('s1', [{ groupId: 'jobs', term: 1 }]);
    expect(await bench.store.claim('s2', ['jobs'])).toEqual([granted('jobs', 2)]);
  });

  it('L3: a duplicate in one batch is answered each time', async () => {
    const bench = new Bench();
    await bench.open('s1', 's2');
    expect(await bench.store.claim('s1', ['jobs', 'mail', 'jobs'])).toEqual([
      granted('jobs', 1),
      granted('mail', 1),
      granted('jobs', 1, false),
    ]);
    expect(await bench.store.read(['jobs', 'jobs'])).toMatchObject([{ groupId: 'jobs' }, { groupId: 'jobs' }]);
    const lease = { groupId: 'jobs', term: 1 };
    expect(await bench.store.release('s1', [lease, lease])).toEqual([
      { ...lease, kind: 'released' },
      { ...lease, kind: 'not-held' },
    ]);
    expect(await bench.heartbeat('s2', 's1', 's1')).toMatchObject({
      holders: [
        { sessionId: 's1', releaseCount: 1 },
        { sessionId: 's1', releaseCount: 1 },
      ],
    });
  });

  it('L4, F1: of many claims at once, over two clients, exactly one is granted', async () => {
    const bench = new Bench();
    const sessionIds = Array.from({ length: 20 }, (_, index) => `s${index}`);
    await bench.open(...sessionIds);
    const results = await Promise.all(
      sessionIds.map((sessionId, index) => (index % 2 ? bench.store : bench.other).claim(sessionId, ['jobs'])),
    );
    const winners = sessionIds.filter((_, index) => results[index]![0]!.kind === 'granted');
    expect(winners.length).toBe(1);
    expect(bench.database.leases.get('jobs')).toEqual({ term: 1, holderId: winners[0] });
  });

  it('L5: once a heartbeat was acknowledged no claim of its groups is granted before the expiry that it set', async () => {
    const bench = new Bench();
    await bench.open('s1');
    await bench.store.claim('s1', ['jobs']);
    await bench.pass(TTL_MS - 1);
    await bench.heartbeat('s1');
    await bench.open('s2');
    await bench.pass(TTL_MS - 1);
    await bench.heartbeat('s2');
    expect(await bench.other.claim('s2', ['jobs'])).toMatchObject([{ kind: 'refused', holder: { remainingMs: 1 } }]);
    await bench.pass(1);
    expect(await bench.other.claim('s2', ['jobs'])).toEqual([granted('jobs', 2)]);
    expect(await bench.heartbeat('s1')).toEqual(dead);
  });

  it('a release frees the lease that matches group, session and term exactly, and no other', async () => {
    const bench = new Bench();
    await bench.open('s1', 's2');
    await bench.store.claim('s1', ['jobs']);
    expect(await bench.store.release('s1', [{ groupId: 'jobs', term: 2 }])).toEqual([{ groupId: 'jobs', term: 2, kind: 'not-held' }]);
    expect(await bench.store.release('s2', [{ groupId: 'jobs', term: 1 }])).toMatchObject([{ kind: 'not-held' }]);
    expect(await bench.store.release('s1', [{ groupId: 'mail', term: 1 }])).toMatchObject([{ kind: 'not-held' }]);
    expect(await bench.store.read(['jobs'])).toMatchObject([{ holder: { sessionId: 's1', term: 1, releaseCount: 0 } }]);
  });

  it('the trap of the late release: one of an earlier term does not free the group', async () => {
    const bench = new Bench();
    await bench.open('s1');
    await bench.store.claim('s1', ['jobs']);
    await bench.store.release('s1', [{ groupId: 'jobs', term: 1 }]);
    await bench.store.claim('s1', ['jobs']);
    expect(await bench.other.release('s1', [{ groupId: 'jobs', term: 1 }])).toMatchObject([{ kind: 'not-held' }]);
    expect(await bench.store.read(['jobs'])).toMatchObject([{ term: 2, holder: { sessionId: 's1' } }]);
  });

  it('the trap of the late claim: every fresh grant counts up on its session, and the heartbeat tells', async () => {
    const bench = new Bench();
    await bench.open('s1');
    expect(await bench.heartbeat('s1')).toMatchObject({ grantCount: 0 });
    await bench.store.claim('s1', ['a', 'b']);
    await bench.store.claim('s1', ['a']);
    await bench.store.release('s1', [{ groupId: 'a', term: 1 }]);
    expect(await bench.heartbeat('s1')).toMatchObject({ grantCount: 2 });
    expect(await bench.store.held('s1')).toEqual({ alive: true, grantCount: 2, leases: [{ groupId: 'b', term: 1 }] });
    await bench.store.claim('s1', ['a']);
    expect(await bench.heartbeat('s1')).toMatchObject({ grantCount: 3 });
  });

  it('a group that was taken over is no longer among those of the one who lost it', async () => {
    const bench = new Bench();
    await bench.open('s1');
    await bench.store.claim('s1', ['jobs']);
    await bench.pass(TTL_MS);
    await bench.open('s2');
    await bench.store.claim('s2', ['jobs']);
    // A close that comes late frees nothing of the new holder's.
    await bench.store.closeSession('s1');
    expect(await bench.store.read(['jobs'])).toMatchObject([{ term: 2, holder: { sessionId: 's2' } }]);
  });
});

describe('what the memory store tells', () => {
  it('a heartbeat tells of the sessions that are asked about, in the order of the question: how long they live, and what they released', async () => {
    const bench = new Bench();
    await bench.open('s1');
    await bench.store.claim('s1', ['a', 'b']);
    await bench.store.release('s1', [{ groupId: 'a', term: 1 }]);
    await bench.pass(400);
    await bench.open('s2', 's3');
    await bench.store.closeSession('s3');
    expect(await bench.heartbeat('s2', 's3', 's1', 'unknown')).toEqual({
      alive: true,
      grantCount: 0,
      standbyRank: 0,
      holders: [
        { sessionId: 's3', remainingMs: 0, releaseCount: 0 },
        { sessionId: 's1', remainingMs: TTL_MS - 400, releaseCount: 1 },
        { sessionId: 'unknown', remainingMs: 0, releaseCount: 0 },
      ],
    });
  });

  it('what remains of an expired holder is 0, never negative', async () => {
    const bench = new Bench();
    await bench.open('s1');
    await bench.pass(500);
    await bench.open('s2');
    await bench.pass(700);
    expect(await bench.heartbeat('s2', 's1')).toMatchObject({ holders: [{ sessionId: 's1', remainingMs: 0 }] });
  });

  it('the rank of a standby counts the live sessions that were opened before it, those that it waits for aside', async () => {
    const bench = new Bench();
    await bench.open('s1', 's2', 's3', 's4');
    expect(await bench.heartbeat('s4', 's1')).toMatchObject({ standbyRank: 2 });
    expect(await bench.heartbeat('s2', 's1')).toMatchObject({ standbyRank: 0 });
    await bench.store.closeSession('s2');
    expect(await bench.heartbeat('s4', 's1')).toMatchObject({ standbyRank: 1 });
    expect(await bench.heartbeat('s1')).toMatchObject({ standbyRank: 0 });
  });

  it('the rank is not counted beyond its maximum, and not at all for who waits for nobody', async () => {
    const bench = new Bench();
    const sessions = Array.from({ length: MAX_STANDBY_RANK + 4 }, (_session, at) => `s${at}`);
    await bench.open(...sessions);
    expect(await bench.heartbeat(sessions.at(-1)!, 's0')).toMatchObject({ standbyRank: MAX_STANDBY_RANK });
    expect(await bench.heartbeat(sessions.at(-1)!)).toMatchObject({ standbyRank: 0 });
  });

  it('a look tells the holder, its term, and how many contend, the holder included once', async () => {
    const bench = new Bench();
    await bench.open('s1', 's2', 's3');
    await bench.store.claim('s1', ['jobs']);
    await bench.store.contend('s1', ['jobs']);
    await bench.store.contend('s2', ['jobs', 'mail']);
    await bench.store.contend('s2', ['jobs']);
    expect(await bench.store.read(['jobs', 'mail', 'none'])).toEqual([
      {
        groupId: 'jobs',
        term: 1,
        holder: { sessionId: 's1', memberId: 'member s1', term: 1, remainingMs: TTL_MS, releaseCount: 0 },
        contenderCount: 2,
      },
      { groupId: 'mail', term: 0, holder: null, contenderCount: 1 },
      { groupId: 'none', term: 0, holder: null, contenderCount: 0 },
    ]);
    await bench.store.withdraw('s2', ['jobs']);
    await bench.store.withdraw('unknown', ['jobs']);
    expect(await bench.store.read(['jobs'])).toMatchObject([{ contenderCount: 1 }]);
    await bench.pass(TTL_MS);
    expect(await bench.store.read(['jobs', 'mail'])).toMatchObject([{ term: 1, holder: null, contenderCount: 0 }, { contenderCount: 0 }]);
  });

  it('contending has no effect for a dead session', async () => {
    const bench = new Bench();
    await bench.open('s1');
    await bench.store.closeSession('s1');
    await bench.store.contend('s1', ['jobs']);
    expect(await bench.store.read(['jobs'])).toMatchObject([{ contenderCount: 0 }]);
  });

  it('the members are the live sessions, the oldest first', async () => {
    const bench = new Bench();
    await bench.store.openSession({ sessionId: 's1', memberId: 'a', ttlMs: TTL_MS, metadata: { host: 'north' } });
    await bench.pass(100);
    await bench.open('s2', 's3');
    await bench.store.claim('s1', ['x', 'y']);
    await bench.store.contend('s1', ['x', 'z']);
    await bench.store.closeSession('s3');
    await bench.pass(50);
    expect(await bench.other.members()).toEqual([
      {
        sessionId: 's1',
        memberId: 'a',
        ttlMs: TTL_MS,
        remainingMs: TTL_MS - 150,
        ageMs: 150,
        leaseCount: 2,
        contendCount: 3,
        metadata: { host: 'north' },
      },
      {
        sessionId: 's2',
        memberId: 'member s2',
        ttlMs: TTL_MS,
        remainingMs: TTL_MS - 50,
        ageMs: 50,
        leaseCount: 0,
        contendCount: 0,
        metadata: {},
      },
    ]);
  });

  it('W1: a hint comes after every grant, release and close that changed something, to the watchers of every client', async () => {
    const bench = new Bench();
    await bench.open('s1', 's2');
    const hints: LeaseHint[] = [];
    const watching = await bench.other.watch!((hint) => hints.push(hint));
    await bench.store.claim('s1', ['a', 'b', 'c']);
    await bench.store.claim('s1', ['a']);
    await bench.store.claim('s2', ['a']);
    await bench.heartbeat('s1');
    await bench.store.release('s1', [{ groupId: 'b', term: 1 }]);
    await bench.store.release('s1', [{ groupId: 'b', term: 1 }]);
    await bench.store.closeSession('s1');
    await bench.store.closeSession('s1');
    await bench.store.closeSession('s2');
    expect(hints).toEqual([{ groupIds: ['a', 'b', 'c'] }, { groupIds: ['b'] }, { groupIds: ['a', 'c'] }]);
    await watching[Symbol.asyncDispose]();
    await bench.open('s4');
    await bench.store.claim('s4', ['a']);
    expect(hints.length).toBe(3);
  });

  it('W1: a hint never comes from inside the call that causes it', async () => {
    const bench = new Bench();
    await bench.open('s1');
    const order: string[] = [];
    await bench.store.watch!(() => order.push('hint'));
    bench.database.claim('s1', ['a'], 0 as never);
    order.push('claimed');
    await Promise.resolve();
    expect(order).toEqual(['claimed', 'hint']);
  });
});

describe('the memory store as a client', () => {
  it('is frozen in what it says that it can do', () => {
    const { capabilities } = memoryLeaseStore();
    expect(capabilities).toEqual({
      name: 'memory',
      durable: false,
      crossProcess: false,
      precisionMs: 1,
      watch: true,
      fencing: true,
      history: true,
      resignRequests: true,
      groups: true,
      occurrences: true,
    });
    expect(Object.isFrozen(capabilities)).toBe(true);
  });

  it('T1: its time is that of its own clock, whatever the members’ clocks say', async () => {
    const bench = new Bench();
    await bench.open('s1');
    bench.clock.jump(3_600_000);
    expect(await bench.heartbeat('s1')).toMatchObject({ alive: true });
  });

  it('alone it has a database of its own, and the clock of this machine', async () => {
    const [store, other] = [memoryLeaseStore(), memoryLeaseStore()];
    await store.openSession({ sessionId: 's1', memberId: 'a', ttlMs: 60_000 });
    expect((await store.members())[0]!.remainingMs).toBeGreaterThan(59_000);
    expect(await other.members()).toEqual([]);
    await expect(store.migrate()).resolves.toBeUndefined();
  });

  it('F7, F12: refuses bad input before anything happens', async () => {
    const { store, database } = new Bench();
    const calls: (() => Promise<unknown>)[] = [
      () => store.openSession({ sessionId: 's1', memberId: 'a', ttlMs: 0 }),
      () => store.openSession({ sessionId: '', memberId: 'a', ttlMs: 1 }),
      () => store.heartbeat({ sessionId: '', holders: [] }),
      () => store.closeSession('\n'),
      () => store.contend('s1', ['']),
      () => store.withdraw('s1', ['']),
      () => store.claim('s1', ['x'.repeat(256)]),
      () => store.release('s1', [{ groupId: 'a', term: 0 }]),
      () => store.held(''),
      () => store.read(['a', '']),
    ];
    for (const call of calls) await expect(call()).rejects.toBeInstanceOf(WbOptionError);
    expect(database.sessions.size).toBe(0);
    expect(database.leases.size).toBe(0);
  });

  it('T5: a call that was aborted before it was sent did certainly nothing', async () => {
    const { store, database } = new Bench();
    const call = store.openSession({ sessionId: 's1', memberId: 'a', ttlMs: 1 }, { signal: AbortSignal.abort() });
    await expect(call).rejects.toMatchObject({ code: 'STORE_TIMEOUT', outcome: 'none', isRetryable: true });
    expect(database.sessions.size).toBe(0);
  });

  it('closed, it refuses every call and sends no hints; the others go on, and its sessions are left to expire', async () => {
    const bench = new Bench();
    await bench.open('s1');
    const hints: LeaseHint[] = [];
    await bench.store.watch!((hint) => hints.push(hint));
    const inFlight = bench.store.members();
    await bench.store.close();
    await bench.store.close();
    await expect(inFlight).rejects.toMatchObject({ code: 'STORE_CLOSED' });
    for (const call of [bench.store.members(), bench.store.claim('s1', ['a']), bench.store.watch!(() => undefined)]) {
      await expect(call).rejects.toBeInstanceOf(StoreError);
      await expect(call).rejects.toMatchObject({ code: 'STORE_CLOSED', outcome: 'none' });
    }
    expect(await bench.other.claim('s1', ['a'])).toEqual([granted('a', 1)]);
    expect(hints).toEqual([]);
  });

  it('takes an empty batch', async () => {
    const { store } = new Bench();
    expect(await store.claim('s1', [])).toEqual([]);
    expect(await store.release('s1', [])).toEqual([]);
    expect(await store.read([])).toEqual([]);
    await expect(store.contend('s1', [])).resolves.toBeUndefined();
  });
});
