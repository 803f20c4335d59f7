import { StoreError, type LeaseStore } from '@wb/core';
import { expect, it, vi } from 'vitest';
import { describeServer } from './servers/describe-server.js';
import { lockWaits, openSession, PostgresBench } from './servers/postgres-bench.js';

/** A deadline for one call, in ms, and how much later it may settle on a busy machine. */
const DEADLINE_MS = 250;
const SLACK_MS = 1_000;

/** The fault of a call that must settle by its deadline. */
async function faultInTime(call: (signal: AbortSignal) => Promise<unknown>): Promise<StoreError> {
  const startedAtMs = performance.now();
  const fault = await call(AbortSignal.timeout(DEADLINE_MS)).then(
    (value) => {
      throw new Error(`answered: ${JSON.stringify(value)}`);
    },
    (error: unknown) => error,
  );
  expect(performance.now() - startedAtMs).toBeLessThan(DEADLINE_MS + SLACK_MS);
  expect(fault).toBeInstanceOf(StoreError);
  return fault as StoreError;
}

function everyCall(store: LeaseStore): ((signal: AbortSignal) => Promise<unknown>)[] {
  return [
    (signal) => store.migrate({ signal }),
    (signal) => store.watch!(() => undefined, { signal }),
    (signal) => store.openSession({ sessionId: 'new', memberId: 'new', ttlMs: 1_000 }, { signal }),
    (signal) => store.heartbeat({ sessionId: 'own', holders: [] }, { signal }),
    (signal) => store.contend('own', ['group'], { signal }),
    (signal) => store.withdraw('own', ['group'], { signal }),
    (signal) => store.claim('own', ['group'], { signal }),
    (signal) => store.release('own', [{ groupId: 'group', term: 1 }], { signal }),
    (signal) => store.held('own', { signal }),
    (signal) => store.read(['group'], { signal }),
    (signal) => store.members({ signal }),
    (signal) => store.closeSession('own', { signal }),
  ];
}

describeServer('postgres', 'deadlines', ({ url }) => {
  it('T5, F11: every call to a server that accepts and never answers settles by its signal, was never sent, and leaves no connection open', async () => {
    await using bench = new PostgresBench(url);
    const proxy = await bench.proxy();
    proxy.blackHole();
    const store = bench.store({ connectionString: proxy.url });
    for (const call of everyCall(store))
      expect(await faultInTime(call)).toMatchObject({ code: 'STORE_TIMEOUT', outcome: 'none', isRetryable: true });
    // Attempts to connect outlive their calls, for four times as long at most.
    await vi.waitFor(() => expect(proxy.openCount).toBe(0), { timeout: 3 * DEADLINE_MS + SLACK_MS });
  });

  it('F17: a server that lets nobody in within a call is reached all the same: an attempt outlives its call, and the next calls take what it opened', async () => {
    await using bench = new PostgresBench(url);
    await bench.migrated();
    const proxy = await bench.proxy();
    // Three answers at least before the first statement can be sent, and one more for that.
    proxy.answerDelayMs = 0.4 * DEADLINE_MS;
    const store = bench.store({ connectionString: proxy.url });
    const look = (): Promise<unknown> => store.members({ signal: AbortSignal.timeout(DEADLINE_MS) });
    await expect(look()).rejects.toMatchObject({ code: 'STORE_TIMEOUT', outcome: 'none' });
    for (let failureCount = 1; ; failureCount += 1) {
      expect(failureCount).toBeLessThan(4);
      if (
        await look().then(
          () => true,
          () => false,
        )
      )
        break;
    }
    expect(proxy.acceptedCount).toBe(1);
  });

  it('F11: a call does not wait for an attempt to which the server has said nothing: after a black hole the next one is answered', async () => {
    await using bench = new PostgresBench(url);
    await bench.migrated();
    const proxy = await bench.proxy();
    proxy.blackHole();
    const store = bench.store({ connectionString: proxy.url });
    expect((await faultInTime((signal) => store.members({ signal }))).code).toBe('STORE_TIMEOUT');
    proxy.heal();
    // The attempt still goes on: what it sent is lost.
    expect(proxy.openCount).toBe(1);
    expect(await store.members({ signal: AbortSignal.timeout(2 * DEADLINE_MS) })).toEqual([]);
    await vi.waitFor(() => expect(proxy.openCount).toBe(1), { timeout: 4 * DEADLINE_MS + SLACK_MS });
  });

  it('T5: without a signal, `connectTimeoutMs` ends the wait for a server that never answers', async () => {
    await using bench = new PostgresBench(url);
    const proxy = await bench.proxy();
    proxy.blackHole();
    const store = bench.store({ connectionString: proxy.url, connectTimeoutMs: DEADLINE_MS });
    expect(await faultInTime(() => store.members())).toMatchObject({ code: 'STORE_TIMEOUT', outcome: 'none' });
    await vi.waitFor(() => expect(proxy.openCount).toBe(0));
  });

  it('T5: without a signal, a statement that gets no answer ends a second after `statementTimeoutMs`, and may have run', async () => {
    await using bench = new PostgresBench(url);
    const proxy = await bench.proxy();
    const store = await bench.migrated({ connectionString: proxy.url, statementTimeoutMs: DEADLINE_MS, lockTimeoutMs: DEADLINE_MS });
    proxy.blackHole();
    const startedAtMs = performance.now();
    await expect(store.members()).rejects.toMatchObject({ code: 'STORE_TIMEOUT', outcome: 'unknown', isRetryable: true });
    expect(performance.now() - startedAtMs).toBeLessThan(DEADLINE_MS + 2 * SLACK_MS);
  });

  it.each([
    ['connections of its own', (_bench: PostgresBench, proxyUrl: string) => ({ connectionString: proxyUrl })],
    [
      "somebody's pool of one connection",
      (bench: PostgresBench, proxyUrl: string) => ({ pool: bench.pool({ connectionString: proxyUrl, max: 1 }) }),
    ],
  ])(
    'T5, F11: with %s, a call that got no answer has an unknown outcome, its connection is destroyed, and the next call is answered',
    async (_kind, source) => {
      await using bench = new PostgresBench(url);
      const proxy = await bench.proxy();
      const store = await bench.migrated(source(bench, proxy.url));
      const sessionId = await openSession(store, 'own');
      await store.claim(sessionId, ['before']);
      // Those that need no connection beside the one that lies idle.
      for (const call of everyCall(store).slice(2)) {
        proxy.blackHole();
        expect((await faultInTime(call)).code).toBe('STORE_TIMEOUT');
        // A connection that still waits for its answer would be open, and the next call would be given that answer.
        await vi.waitFor(() => expect(proxy.openCount).toBe(0));
        proxy.heal();
        expect(await store.held(sessionId)).toMatchObject({ leases: [{ groupId: 'before', term: 1 }] });
      }
    },
  );

  it('T5: a store whose pool cannot connect closes all the same', async () => {
    await using bench = new PostgresBench(url);
    const proxy = await bench.proxy();
    proxy.blackHole();
    const store = bench.store({ pool: () => bench.pool({ connectionString: proxy.url, max: 1 }), connectTimeoutMs: 200 });
    expect((await faultInTime((signal) => store.members({ signal }))).code).toBe('STORE_TIMEOUT');
    await store.close();
    proxy.heal();
  });

  it('T5: when a call got no answer, connections that lie idle are closed, too: none of the next calls pays for one that is as dead', async () => {
    await using bench = new PostgresBench(url);
    const proxy = await bench.proxy();
    const store = await bench.migrated({ connectionString: proxy.url });
    await Promise.all(Array.from({ length: 4 }, () => store.members()));
    expect(proxy.openCount).toBe(4);
    proxy.blackHole();
    expect((await faultInTime((signal) => store.members({ signal }))).code).toBe('STORE_TIMEOUT');
    await vi.waitFor(() => expect(proxy.openCount).toBe(0), { timeout: 3 * DEADLINE_MS + SLACK_MS });
  });

  it('F11: heartbeats into a black hole do not pile up connections', async () => {
    await using bench = new PostgresBench(url);
    const proxy = await bench.proxy();
    proxy.blackHole();
    const store = bench.store({ config: { connectionString: proxy.url, max: 3 } });
    const faults = await Promise.all(
      Array.from({ length: 50 }, () => faultInTime((signal) => store.heartbeat({ sessionId: 'own', holders: [] }, { signal }))),
    );
    expect(new Set(faults.map(({ code }) => code))).toEqual(new Set(['STORE_TIMEOUT']));
    // A place that becomes free at the deadline is taken by one that is about to reach its own.
    expect(proxy.acceptedCount).toBeLessThanOrEqual(2 * 3);
    await vi.waitFor(() => expect(proxy.openCount).toBe(0), { timeout: 3 * DEADLINE_MS + SLACK_MS });
  });

  it('T5: a statement whose client gave up does not wait on the server for longer than `lockTimeoutMs`', async () => {
    await using bench = new PostgresBench(url);
    const store = await bench.migrated({ lockTimeoutMs: 500 });
    const sessionId = await openSession(store, 'own');
    const [other, observer] = [await bench.client(), await bench.client()];
    await other.query('begin');
    await other.query(`select from ${bench.table('session')} for update`);
    const abort = new AbortController();
    const claim = store.claim(sessionId, ['group'], { signal: abort.signal });
    await lockWaits(observer);
    abort.abort();
    await expect(claim).rejects.toMatchObject({ code: 'STORE_TIMEOUT', outcome: 'unknown' });
    await vi.waitFor(
      async () => {
        const { rows } = await observer.query(
          `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
        );
        expect(rows).toHaveLength(0);
      },
      { timeout: 500 + 2 * SLACK_MS },
    );
    await other.query('commit');
    expect(await store.held(sessionId)).toMatchObject({ grantCount: 0 });
  });

  it.each([{}, { pooler: true }])(
    'E1: a lock that is not had in time is STORE_BUSY, a statement that is too slow STORE_TIMEOUT; neither has done anything (%o)',
    async (mode) => {
      await using bench = new PostgresBench(url);
      const store = await bench.migrated();
      const sessionId = await openSession(store, 'own');
      const other = await bench.client();
      await other.query('begin');
      await other.query(`select from ${bench.table('session')} for update`);
      const quick = bench.store({ ...mode, lockTimeoutMs: 50 });
      await expect(quick.heartbeat({ sessionId, holders: [] })).rejects.toMatchObject({
        code: 'STORE_BUSY',
        isRetryable: true,
        outcome: 'none',
      });
      const short = bench.store({ ...mode, lockTimeoutMs: 60, statementTimeoutMs: 60 });
      await other.query('commit');
      await (
        await bench.client()
      ).query(`create function ${bench.namespace}slow() returns trigger language plpgsql as 'begin perform pg_sleep(10); return new; end'`);
      await other.query(
        `create trigger slow before update on ${bench.table('session')} for each row execute function ${bench.namespace}slow()`,
      );
      await expect(short.heartbeat({ sessionId, holders: [] })).rejects.toMatchObject({
        code: 'STORE_TIMEOUT',
        isRetryable: true,
        outcome: 'none',
      });
    },
  );

  it('T5: a heartbeat goes before the batches that wait for a connection', async () => {
    await using bench = new PostgresBench(url);
    const store = await bench.migrated({ config: { connectionString: url, max: 1 } });
    const sessionId = await openSession(store, 'own');
    const order: string[] = [];
    const calls = ['read 1', 'read 2', 'read 3'].map((name) => store.read(['group']).then(() => order.push(name)));
    calls.push(store.heartbeat({ sessionId, holders: [] }).then(() => order.push('heartbeat')));
    await Promise.all(calls);
    expect(order.indexOf('heartbeat')).toBeLessThanOrEqual(1);
  });
});
