import {
  createCoordinator,
  type Coordinator,
  type CoordinatorEvent,
  type HeartbeatResult,
  type LeaseStore,
  type WorkContext,
} from '@wb/core';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { TestDatabase } from './databases/test-database.js';

const TTL_MS = 1_000;
const HEARTBEAT_MS = 100;
const TIMINGS = { ttlMs: TTL_MS, heartbeatMs: HEARTBEAT_MS, callDeadlineMs: 250 };

/** For ten members in one process: what they do together in a second is what three do with {@link TIMINGS}. */
const MANY_TIMINGS = { ttlMs: 3 * TTL_MS, heartbeatMs: 3 * HEARTBEAT_MS, callDeadlineMs: 750 };

/** The most connections that a coordinator may have open: the stores' own limit for calls, the one that listens, and one that is being ended. */
const MAX_CONNECTIONS = 6;

let namespaceCount = 0;

/** The faults of the original that are about the database, each by its number (see docs/protocol.md); those with several processes are in coordinators.ts. */
export function testOriginalFaults(open: () => TestDatabase): void {
  let database: TestDatabase;
  let namespace: string;
  let ends: (() => Promise<unknown>)[];

  beforeEach(() => {
    namespaceCount += 1;
    namespace = `of${process.pid}_${namespaceCount}_`;
    database = open();
    ends = [];
  });

  afterEach(async () => {
    for (const end of ends.toReversed()) await end();
    await database.drop(namespace);
  });

  async function client(): Promise<LeaseStore> {
    const store = database.open(namespace);
    ends.push(() => store.close());
    await store.migrate();
    return store;
  }

  function member(
    memberId: string,
    store: LeaseStore,
    timings: typeof TIMINGS = TIMINGS,
  ): { readonly coordinator: Coordinator; readonly events: CoordinatorEvent[] } {
    const coordinator = createCoordinator({ store: () => store, memberId, ...timings });
    const events: CoordinatorEvent[] = [];
    for (const kind of ['group', 'session', 'store-fault', 'store-recovered'] as const) coordinator.on(kind, (event) => events.push(event));
    ends.push(() => coordinator.close());
    return { coordinator, events };
  }

  /** Leads until told to stop; resolves when it leads for the first time. */
  function leads(coordinator: Coordinator, groupId: string): Promise<WorkContext> {
    return new Promise((resolve) => {
      void coordinator.lead(groupId, async (context) => {
        resolve(context);
        await new Promise((stop) => context.signal.addEventListener('abort', stop));
      });
    });
  }

  it('F7: the longest name there may be works throughout, and a longer one is refused before anything happens', async () => {
    const longest = '𝄞'.repeat(255);
    const first = member(longest, database.open(namespace));
    const { term } = await leads(first.coordinator, longest);
    expect(term).toBe(1);
    const second = member('another', database.open(namespace));
    const next = leads(second.coordinator, longest);
    await expect.poll(() => second.coordinator.status().groups[0]?.leader?.memberId).toBe(longest);
    await first.coordinator.close();
    expect(await next).toMatchObject({ term: 2, groupId: longest });
    await expect(second.coordinator.lead(`${longest}x`, () => undefined)).rejects.toMatchObject({ code: 'INVALID_NAME', field: 'groupId' });
    expect(await second.coordinator.members()).toMatchObject([{ memberId: 'another' }]);
  });

  it('F8: whoever has just claimed is not robbed before the first heartbeat; and without a live session there is nothing to claim', async () => {
    const [store, other] = [await client(), await client()];
    await store.openSession({ sessionId: 'new', memberId: 'm', ttlMs: TTL_MS });
    await other.openSession({ sessionId: 'other', memberId: 'm', ttlMs: 60_000 });
    expect(await store.claim('new', ['g'])).toMatchObject([{ kind: 'granted', term: 1 }]);
    const claim = async (): Promise<unknown> => (await other.claim('other', ['g']))[0];
    expect(await claim()).toMatchObject({ kind: 'refused', reason: 'held', holder: { sessionId: 'new' } });
    // From its end on, and not before.
    await expect.poll(claim, { timeout: 3 * TTL_MS, interval: 20 }).toMatchObject({ kind: 'granted', term: 2 });
    expect(await store.heartbeat({ sessionId: 'new', holders: [] })).toEqual({ alive: false });
    expect(await store.claim('new', ['g', 'free'])).toMatchObject([{ reason: 'session-dead' }, { reason: 'session-dead' }]);
    expect(await store.claim('never-opened', ['free'])).toMatchObject([{ reason: 'session-dead' }]);
    expect(await other.read(['free'])).toMatchObject([{ term: 0, holder: null }]);
  });

  it('F11: a database that answers nothing has one heartbeat of a member at a time, and no more connections than before; and then it goes on', async () => {
    const way = await database.way(namespace);
    ends.push(async () => way[Symbol.asyncDispose]());
    const store = way.open();
    // Those that were neither answered nor given up.
    const underWay = new Set<AbortSignal>();
    let mostUnderWay = 0;
    const heartbeat = store.heartbeat.bind(store);
    store.heartbeat = async (request, options): Promise<HeartbeatResult> => {
      const signal = options!.signal!;
      underWay.add(signal);
      mostUnderWay = Math.max(mostUnderWay, [...underWay].filter(({ aborted }) => !aborted).length);
      try {
        return await heartbeat(request, options);
      } finally {
        underWay.delete(signal);
      }
    };
    const { coordinator, events } = member('m', store);
    const { lease, signal } = await leads(coordinator, 'g');
    await way.hold();
    await new Promise((stop) => signal.addEventListener('abort', stop));
    expect(lease.isHeld()).toBe(false);
    const counts: number[] = [];
    const faults = (): number => events.filter(({ kind }) => kind === 'store-fault').length;
    for (let seen = faults(); seen < 8;) {
      await expect.poll(faults, { timeout: 10_000, interval: 10 }).toBeGreaterThan(seen);
      seen = faults();
      counts.push(way.connectionCount() ?? 0);
    }
    expect(Math.max(...counts)).toBeLessThanOrEqual(MAX_CONNECTIONS);
    await way.letGo();
    await expect.poll(() => coordinator.status().groups[0]?.state, { timeout: 10_000 }).toBe('leading');
    expect(mostUnderWay).toBe(1);
    expect(events.some(({ kind }) => kind === 'store-recovered')).toBe(true);
  });

  it('F17: a database that is down at the start is tried again, visibly, until it is there', async () => {
    const way = await database.way(namespace);
    ends.push(async () => way[Symbol.asyncDispose]());
    await way.takeAway();
    const { coordinator, events } = member('m', way.open());
    const leading = leads(coordinator, 'g');
    const faults = (): readonly CoordinatorEvent[] => events.filter(({ kind }) => kind === 'store-fault');
    await expect.poll(() => faults().length, { timeout: 10_000 }).toBeGreaterThanOrEqual(3);
    expect(faults()[0]).toMatchObject({ error: { code: 'STORE_UNAVAILABLE', isRetryable: true } });
    expect(coordinator.status()).toMatchObject({ session: { state: 'joining' }, storeFault: { code: 'STORE_UNAVAILABLE' } });
    await way.bringBack();
    expect(await leading).toMatchObject({ term: 1 });
    expect(coordinator.status().storeFault).toBe(null);
  });

  it('F17: when the database comes back after an outage, ten members come back to it one by one, and open no more connections than before', async () => {
    const way = await database.way(namespace);
    ends.push(async () => way[Symbol.asyncDispose]());
    const members = Array.from({ length: 10 }, (_, at) => member(`m${at}`, way.open(), MANY_TIMINGS));
    for (const { coordinator } of members) void leads(coordinator, 'g');
    const session = (): readonly string[] => members.map(({ coordinator }) => coordinator.status().session.state);
    const isEverybodyLive = (): boolean => session().every((state) => state === 'live');
    await expect.poll(isEverybodyLive, { timeout: 10_000 }).toBe(true);
    await way.takeAway();
    await expect.poll(() => session().includes('live'), { timeout: 10_000 }).toBe(false);
    const before = members.map(({ events }) => events.length);
    // Long enough for everybody's pauses to have grown to the longest, a heartbeat.
    await expect.poll(() => members.every(({ events }, at) => events.length >= before[at]! + 5), { timeout: 10_000 }).toBe(true);
    let mostConnections = 0;
    const look = setInterval(() => (mostConnections = Math.max(mostConnections, way.connectionCount() ?? 0)), 2);
    const openedAtMs: number[] = [];
    for (const { coordinator } of members) {
      coordinator.on('session', ({ to }) => {
        if (to === 'live') openedAtMs.push(performance.now());
      });
    }
    await way.bringBack();
    await expect.poll(isEverybodyLive, { timeout: 10_000 }).toBe(true);
    clearInterval(look);
    expect(mostConnections).toBeLessThanOrEqual(members.length * MAX_CONNECTIONS);
    // Their attempts were not in step: a herd would be there within a few ms.
    expect(Math.max(...openedAtMs) - Math.min(...openedAtMs)).toBeGreaterThan(MANY_TIMINGS.heartbeatMs / 10);
    await expect.poll(() => members.filter(({ coordinator }) => coordinator.status().groups[0]?.state === 'leading').length).toBe(1);
  });

  it('F19: rows of dead members go away, those of the living stay, and terms go on', async () => {
    const store = await client();
    await store.openSession({ sessionId: 'living', memberId: 'm', ttlMs: 600_000 });
    for (let at = 0; at < 20; at += 1) await store.openSession({ sessionId: `dead-${at}`, memberId: 'm', ttlMs: 1 });
    await store.openSession({ sessionId: 'leader', memberId: 'm', ttlMs: 600_000 });
    await store.claim('leader', ['g']);
    await store.contend('leader', ['g', 'h']);
    await store.closeSession('leader');
    expect(await database.sessionRows(namespace)).toBeGreaterThan(1);
    let opened = 0;
    const rows = async (): Promise<number> => {
      opened += 1;
      await store.openSession({ sessionId: `probe-${opened}`, memberId: 'm', ttlMs: 1 });
      return await database.sessionRows(namespace);
    };
    // The probes of the last retention aside, the living one is what is left.
    await expect.poll(rows, { timeout: 20_000, interval: database.sessionRetentionMs }).toBeLessThanOrEqual(4);
    expect(await store.members()).toMatchObject([{ sessionId: 'living' }]);
    expect(await store.claim('living', ['g'])).toMatchObject([{ kind: 'granted', term: 2 }]);
  });
}
