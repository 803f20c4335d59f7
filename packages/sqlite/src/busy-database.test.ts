import { Scheduler, VirtualClock } from '@wb/core/testing';
import type { Clock } from '@wb/core';
import Database from 'better-sqlite3';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../test-support/temporary-folder.js';
import { sqliteLeaseStore } from './index.js';
import { SqliteStore } from './sqlite-lease-store.js';
import { systemEnvironment } from './sqlite-options.js';

const SESSION = { sessionId: 's', memberId: 'm', ttlMs: 60_000 };

describe('waiting for the write lock', () => {
  const folder = temporaryFolder();

  /** A store whose time is virtual, over a file that someone else has locked. */
  async function locked() {
    const scheduler = new Scheduler();
    const virtual = new VirtualClock(scheduler);
    const pauses: number[] = [];
    const clock: Clock = {
      now: () => virtual.now(),
      schedule: (delayMs, callback) => {
        pauses.push(delayMs);
        return virtual.schedule(delayMs, callback);
      },
    };
    const filename = folder.path('app.db');
    const environment = { ...systemEnvironment, clock, random: () => 0, fileSystemType: () => Promise.resolve(0xef53) };
    const store = new SqliteStore({ filename }, environment);
    await store.migrate();
    const other = new Database(filename);
    other.exec('begin immediate');
    return { store, other, scheduler, pauses };
  }

  it('takes place on the clock alone, in pauses that double up to a limit', async () => {
    const { store, other, scheduler, pauses } = await locked();
    let isOpen = false;
    const opening = store.openSession(SESSION).then(() => (isOpen = true));
    await scheduler.runFor(60);
    // Half of 1, 2, 4, … 25, because the random part is nothing here.
    expect(pauses.slice(0, 8)).toEqual([0.5, 1, 2, 4, 8, 12.5, 12.5, 12.5]);
    expect(isOpen).toBe(false);
    other.exec('commit');
    await scheduler.runFor(12.5);
    expect(isOpen).toBe(true);
    await opening;
    other.close();
    await store.close();
  });

  it('ends by itself after a while when the caller sets no limit, and says that nothing was done', async () => {
    const { store, other, scheduler } = await locked();
    let fault: unknown = null;
    void store.openSession(SESSION).catch((error: unknown) => (fault = error));
    await scheduler.runFor(4_900);
    expect(fault).toBeNull();
    await scheduler.runFor(200);
    expect(fault).toMatchObject({ code: 'STORE_BUSY', outcome: 'none', isRetryable: true });
    other.close();
    await store.close();
  });

  it('leaves no timer behind when the signal ends it, or the store is closed', async () => {
    const { store, other, scheduler, pauses } = await locked();
    const abort = new AbortController();
    const calls = Promise.allSettled([store.openSession(SESSION, { signal: abort.signal }), store.claim('s', ['g'])]);
    await scheduler.runFor(10);
    abort.abort();
    await scheduler.runFor(0);
    await store.close();
    expect((await calls).map((call) => (call.status === 'rejected' ? (call.reason as { code: string }).code : call.status))).toEqual([
      'STORE_TIMEOUT',
      'STORE_CLOSED',
    ]);
    const { length } = pauses;
    // Nothing is left to come due: not in an hour.
    expect(await scheduler.step(3_600_000)).toBe(false);
    expect(pauses.length).toBe(length);
    other.close();
  });

  it('T10: what was true before the wait is looked at again after it', async () => {
    const { store, other, scheduler } = await locked();
    other.exec("insert into wb_session values ('s', 'm', 60000, 0, 99999999999999, 0, 0, 0, '{}')");
    const claiming = store.claim('s', ['g']);
    await scheduler.runFor(50);
    other.exec('update wb_session set closed = 1; commit');
    await scheduler.runFor(25);
    expect(await claiming).toEqual([{ kind: 'refused', groupId: 'g', reason: 'session-dead' }]);
    other.close();
    await store.close();
  });

  it('does not block the event loop while another thread has the lock, and lets in every call that waited', async () => {
    const filename = folder.path('app.db');
    const store = sqliteLeaseStore({ filename });
    await store.migrate();
    await store.openSession(SESSION);
    const worker = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads');
       const Database = require(workerData.driver);
       const database = new Database(workerData.filename);
       database.exec('begin immediate');
       parentPort.once('message', () => { database.exec('commit'); database.close(); });
       parentPort.postMessage('locked');`,
      { eval: true, workerData: { filename, driver: require.resolve('better-sqlite3') } },
    );
    await once(worker, 'message');
    const calls = [
      ...Array.from({ length: 20 }, (_, at) => store.claim('s', [`g${at}`])),
      store.heartbeat({ sessionId: 's', holders: [] }),
    ];
    let settledCount = 0;
    for (const call of calls) void call.finally(() => (settledCount += 1));
    let longestNs = 0n;
    for (let turn = 0, lastNs = process.hrtime.bigint(); turn < 200; turn += 1) {
      await new Promise(setImmediate);
      const nowNs = process.hrtime.bigint();
      if (nowNs - lastNs > longestNs) longestNs = nowNs - lastNs;
      lastNs = nowNs;
    }
    expect(settledCount).toBe(0);
    // The driver's own waiting would have stopped the loop for seconds, at the first call already.
    expect(Number(longestNs) / 1e6).toBeLessThan(1_000);
    worker.postMessage('let go');
    const results = await Promise.all(calls);
    expect(results.at(-1)).toMatchObject({ alive: true, grantCount: expect.any(Number) as number });
    expect(await store.held('s')).toMatchObject({ grantCount: 20 });
    await worker.terminate();
    await store.close();
  });
});
