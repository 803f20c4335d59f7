import Database from 'better-sqlite3';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StoreProcess } from './store-process.js';

const PROCESS_COUNT = 8;
/** How far ahead the starting signal is set, in ms: every process must have got the message by then. */
const SIGNAL_MS = 15;
const DAY_MS = 86_400_000;

describe('stores in eight processes, over one SQLite file', () => {
  let directory: string;
  let processes: StoreProcess[];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'wb-processes-'));
    processes = Array.from({ length: PROCESS_COUNT }, () => new StoreProcess());
  });

  afterEach(async () => {
    await Promise.all(processes.map((process) => process.kill()));
    rmSync(directory, { recursive: true, force: true });
  });

  const soon = (): number => Date.now() + SIGNAL_MS;

  it('F20: all of them migrate a file that does not exist at one instant, and can work at once; ten times', async () => {
    for (let round = 0; round < 10; round += 1) {
      const filename = join(directory, `${round}.db`);
      const startAtMs = soon();
      await Promise.all(processes.map((process) => process.call(filename, 'migrate', [], startAtMs)));
      await Promise.all(
        processes.map((process, at) => process.call(filename, 'openSession', [{ sessionId: `s${at}`, memberId: 'm', ttlMs: DAY_MS }])),
      );
      expect(await processes[0]!.call(filename, 'members', [])).toHaveLength(PROCESS_COUNT);
      const database = new Database(filename);
      expect(database.prepare("select count(*) from wb_migration where name glob '0001-*'").pluck().get()).toBe(1);
      database.close();
    }
  });

  it('F1, F2, L4: all of them claim a free group at one instant: one is granted, in the next term, a hundred and twenty times', async () => {
    const filename = join(directory, 'app.db');
    await processes[0]!.call(filename, 'migrate', []);
    const sessionIds = processes.map((_, at) => `s${at}`);
    const open = (at: number): Promise<void> =>
      processes[at]!.call(filename, 'openSession', [{ sessionId: sessionIds[at]!, memberId: 'm', ttlMs: DAY_MS }]);
    await Promise.all(processes.map((_, at) => open(at)));
    const database = new Database(filename, { timeout: 5_000 });
    const expire = database.prepare('update wb_session set expires_at_ms = 1 where session_id = ?');
    const wins = sessionIds.map(() => 0);
    for (let round = 1; round <= 120; round += 1) {
      const startAtMs = soon();
      const results = await Promise.all(
        processes.map((process, at) => process.call(filename, 'claim', [sessionIds[at]!, ['g']], startAtMs)),
      );
      const winners = results.flatMap(([result], at) => (result!.kind === 'granted' ? [{ at, term: result!.term }] : []));
      expect(winners).toEqual([{ at: expect.any(Number) as number, term: round }]);
      const { at } = winners[0]!;
      const losers = results.flatMap(([result]) => (result!.kind === 'refused' ? [result!] : []));
      const holder = expect.objectContaining({ sessionId: sessionIds[at], term: round }) as unknown;
      expect(losers).toEqual(losers.map(() => ({ kind: 'refused', groupId: 'g', reason: 'held', holder })));
      wins[at]! += 1;
      // Never held at first; then released, or held by a dead session that everyone sees at the same time (F1).
      if (round % 2 === 1) {
        await processes[at]!.call(filename, 'release', [sessionIds[at]!, [{ groupId: 'g', term: round }]]);
      } else {
        expire.run(sessionIds[at]);
        sessionIds[at] = `s${at} after round ${round}`;
        await open(at);
      }
    }
    database.close();
    // Had one process always been first, nothing would have raced.
    expect(wins.filter((count) => count > 0).length).toBeGreaterThan(1);
  });

  it('L2: a process that is killed in the middle of its claims leaves whole grants behind, and the next goes on in the next terms', async () => {
    const filename = join(directory, 'app.db');
    await processes[0]!.call(filename, 'migrate', []);
    const groupIds = Array.from({ length: 3_000 }, (_, at) => `g${at}`);
    const database = new Database(filename, { timeout: 5_000 });
    const held = database.prepare('select count(*) from wb_lease where session_id = ?').pluck();
    for (const [at, process] of processes.slice(0, -1).entries()) {
      await process.call(filename, 'openSession', [{ sessionId: `s${at}`, memberId: 'm', ttlMs: DAY_MS }]);
      const claiming = process.call(filename, 'claim', [`s${at}`, groupIds]);
      const ended = Promise.allSettled([claiming]);
      await expect.poll(() => held.get(`s${at}`), { interval: 1, timeout: 20_000 }).toBeGreaterThan(0);
      await process.kill();
      expect(await ended).toMatchObject([{ status: 'rejected', reason: { message: expect.stringContaining('SIGKILL') as string } }]);
      // What was granted was counted, in the same transaction.
      expect(database.prepare('select grant_count from wb_session where session_id = ?').pluck().get(`s${at}`)).toBe(held.get(`s${at}`));
      database.prepare('update wb_session set expires_at_ms = 1 where session_id = ?').run(`s${at}`);
    }
    expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
    const last = processes.at(-1)!;
    const before = new Map(database.prepare('select group_id, term from wb_lease').raw().all() as [string, number][]);
    await last.call(filename, 'openSession', [{ sessionId: 'last', memberId: 'm', ttlMs: DAY_MS }]);
    const results = await last.call(filename, 'claim', ['last', groupIds]);
    expect(results.map((result) => (result.kind === 'granted' ? result.term : result.reason))).toEqual(
      groupIds.map((groupId) => (before.get(groupId) ?? 0) + 1),
    );
    database.close();
  });

  it('F14: each process ends by itself when its store is closed', async () => {
    const filename = join(directory, 'app.db');
    await Promise.all(processes.map((process) => process.call(filename, 'migrate', [])));
    await Promise.all(processes.slice(1).map((process) => process.call(filename, 'close', [])));
    expect(await Promise.all(processes.map((process) => process.leave()))).toEqual(processes.map(() => 0));
  });
});
