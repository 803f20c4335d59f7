import Database from 'better-sqlite3';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sqliteLeaseStore } from './index.js';

const TTL_MS = 600;
const HOUR_MS = 3_600_000;

describe("a step of the machine's clock", () => {
  let directory: string;
  let filename: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'wb-clock-'));
    filename = join(directory, 'wb.db');
  });

  afterEach(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  /** To the store an expiry that is an hour farther away is the same as a clock that was set back by an hour. */
  function setClockBack(): void {
    const database = new Database(filename);
    database.prepare('update wb_session set expires_at_ms = expires_at_ms + ?').run(HOUR_MS);
    database.close();
  }

  it('T9: set back as a leader dies, its standbys see the end of it a TTL later, by their heartbeats alone', async () => {
    const store = sqliteLeaseStore({ filename });
    await store.migrate();
    await store.openSession({ sessionId: 'leader', memberId: 'm', ttlMs: TTL_MS });
    await store.openSession({ sessionId: 'standby', memberId: 'm', ttlMs: HOUR_MS });
    await store.claim('leader', ['group']);
    setClockBack();
    const look = async (): Promise<number> => {
      const result = await store.heartbeat({ sessionId: 'standby', holders: ['leader'] });
      return result.alive ? result.holders[0]!.remainingMs : Number.NaN;
    };
    const first = await look();
    expect(first).toBeGreaterThan(0);
    expect(first).toBeLessThanOrEqual(TTL_MS);
    // Counted in looks, not in time: each sees less than the one before, down to nothing.
    await expect.poll(look, { interval: 10, timeout: 10 * TTL_MS }).toBe(0);
    expect(await store.claim('standby', ['group'])).toEqual([{ kind: 'granted', groupId: 'group', term: 2, fresh: true }]);
    await store.close();
  });

  it('S1: set back, a live session goes on with its next heartbeat, and lives no longer than its TTL', async () => {
    const store = sqliteLeaseStore({ filename });
    await store.migrate();
    await store.openSession({ sessionId: 'own', memberId: 'm', ttlMs: TTL_MS });
    setClockBack();
    expect((await store.heartbeat({ sessionId: 'own', holders: [] })).alive).toBe(true);
    const [member] = await store.members();
    expect(member!.remainingMs).toBeLessThanOrEqual(TTL_MS);
    await expect.poll(() => store.members(), { interval: 10, timeout: 10 * TTL_MS }).toEqual([]);
    await store.close();
  });

  it('S2: once seen dead, a session stays dead, whatever the clock does later', async () => {
    const store = sqliteLeaseStore({ filename });
    await store.migrate();
    await store.openSession({ sessionId: 'dead', memberId: 'm', ttlMs: 1 });
    await expect.poll(() => store.heartbeat({ sessionId: 'dead', holders: [] })).toEqual({ alive: false });
    setClockBack();
    expect(await store.heartbeat({ sessionId: 'dead', holders: [] })).toEqual({ alive: false });
    expect(await store.members()).toEqual([]);
    await store.close();
  });

  it('S2: a session that a claim has seen dead stays dead, too: the one who took its group is safe from it', async () => {
    const store = sqliteLeaseStore({ filename });
    await store.migrate();
    await store.openSession({ sessionId: 'dead', memberId: 'm', ttlMs: HOUR_MS });
    await store.claim('dead', ['group', 'other']);
    await store.openSession({ sessionId: 'heir', memberId: 'm', ttlMs: HOUR_MS });
    const database = new Database(filename);
    database.exec("update wb_session set expires_at_ms = cast(unixepoch('subsec') * 1000 as integer) where session_id = 'dead'");
    database.close();
    expect(await store.claim('heir', ['group'])).toMatchObject([{ kind: 'granted', term: 2 }]);
    setClockBack();
    expect(await store.heartbeat({ sessionId: 'dead', holders: [] })).toEqual({ alive: false });
    expect(await store.claim('heir', ['other'])).toMatchObject([{ kind: 'granted', term: 2 }]);
    await store.close();
  });

  it('T9: set back as a leader dies, its group is claimed a TTL later by those who only claim', async () => {
    const store = sqliteLeaseStore({ filename });
    await store.migrate();
    await store.openSession({ sessionId: 'leader', memberId: 'm', ttlMs: TTL_MS });
    await store.claim('leader', ['group']);
    setClockBack();
    await store.openSession({ sessionId: 'claimant', memberId: 'm', ttlMs: HOUR_MS });
    setClockBack();
    await expect
      .poll(() => store.claim('claimant', ['group']), { interval: 10, timeout: 10 * TTL_MS })
      .toMatchObject([{ kind: 'granted', term: 2 }]);
    await store.close();
  });

  it('set back, nobody who looks is told of a longer time than a TTL', async () => {
    const store = sqliteLeaseStore({ filename });
    await store.migrate();
    await store.openSession({ sessionId: 'leader', memberId: 'm', ttlMs: TTL_MS });
    await store.claim('leader', ['group']);
    setClockBack();
    const [view] = await store.read(['group']);
    const [member] = await store.members();
    expect([view!.holder!.remainingMs, member!.remainingMs]).toEqual([TTL_MS, TTL_MS]);
    await store.close();
  });
});
