import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { emptyMysqlDatabase, emptyPostgresDatabase, emptySqliteDatabase, type EmptyDatabase } from './cli/empty-database.js';
import { isAlive, RunLab, until } from './cli/run-lab.js';
import { wb } from './cli/wb-command.js';
import { describeServer } from './servers/describe-server.js';

/** How often a supervisor and a worker are killed, on each database. */
const GIVEN = process.env['WB_KILLS'];
const SEVERAL = { kills: 5, crashes: 3 };
/** What the databases do not decide need not be done as often with each of them. */
const FEW = { kills: 2, crashes: 1 };
/** So long that nothing here can be mistaken for it. */
const LONG_TTL_S = 30;

function tests(open: () => Promise<EmptyDatabase>, often: { readonly kills: number; readonly crashes: number }): void {
  const kills = Number(GIVEN ?? often.kills);
  const crashes = Number(GIVEN ?? often.crashes);

  let database: EmptyDatabase;
  let lab: RunLab;

  beforeEach(async () => {
    database = await open();
    lab = new RunLab(database.url);
  });

  afterEach(async () => {
    await lab.end();
    await database.drop();
  });

  it(`kill -9 of the supervisor: its worker is gone before the other's begins, ${kills} times`, async () => {
    let leader = lab.work('m0');
    await lab.leaderIs('m0');
    const gapsMs: number[] = [];
    const deathsMs: number[] = [];
    for (let round = 1; round <= kills; round += 1) {
      const { pid, term } = lab.lastBeat();
      const standby = lab.work(`m${round}`);
      await lab.joined(`m${round}`);
      const killedAtMs = Date.now();
      leader.kill('SIGKILL');
      await until(() => !isAlive(pid));
      await lab.leaderIs(`m${round}`);
      expect(lab.lastOf(term)).toBeLessThan(lab.firstOf(term + 1));
      // At once, and not only when trust ends.
      expect(lab.lastOf(term) - killedAtMs).toBeLessThan(1_000);
      gapsMs.push(lab.firstOf(term + 1) - lab.lastOf(term));
      deathsMs.push(lab.lastOf(term) - killedAtMs);
      leader = standby;
    }
    report({ 'last beat after the kill': deathsMs, 'from the last beat to the first of the next': gapsMs });
  }, 900_000);

  it("a frozen supervisor: its worker, which ignores SIGTERM, is killed before the other's begins", async () => {
    const leader = lab.work('a');
    await lab.leaderIs('a');
    const { term, pid } = lab.lastBeat();
    lab.work('b');
    leader.kill('SIGSTOP');
    await lab.leaderIs('b');
    expect(isAlive(pid)).toBe(false);
    expect(lab.lastOf(term)).toBeLessThan(lab.firstOf(term + 1));
  });

  it('a worker that crashes: another member takes over at once, not after the TTL, and this one stands by', async () => {
    const start = (at: number): ChildProcess => lab.work(`m${at}`, '--ttl', `${LONG_TTL_S}`);
    let leader = start(0);
    await lab.leaderIs('m0');
    const startsMs: number[] = [];
    const takeoversMs: number[] = [];
    for (let round = 1; round <= crashes; round += 1) {
      const { pid, term } = lab.lastBeat();
      const standby = start(round);
      await lab.joined(`m${round}`);
      process.kill(pid, 'SIGKILL');
      const killedAtMs = Date.now();
      await lab.leaderIs(`m${round}`);
      expect(lab.lastBeat().term).toBe(term + 1);
      expect(lab.lastOf(term)).toBeLessThan(lab.firstOf(term + 1));
      startsMs.push(lab.startOf(term + 1) - killedAtMs);
      takeoversMs.push(lab.firstOf(term + 1) - killedAtMs);
      expect(namesOf(lab)).toEqual([`m${round - 1}`, `m${round}`].toSorted());
      leader.kill('SIGTERM');
      expect(await once(leader, 'exit')).toEqual([143, null]);
      leader = standby;
    }
    // The figure is in the log; what is certain on every machine is that nobody has waited for the TTL.
    for (const takeoverMs of takeoversMs) expect(takeoverMs).toBeLessThan((LONG_TTL_S * 1_000) / 3);
    report({ 'from the crash of a worker to the start of the next': startsMs, 'to its first beat': takeoversMs });
    const [, ended] = JSON.parse(wb(['history', 'g', '--store', lab.store, '--json']).stdout) as { endReason: string }[];
    expect(ended).toMatchObject({ term: crashes, endReason: 'work-failed' });
  }, 900_000);
}

function namesOf(lab: RunLab): readonly string[] {
  const members = JSON.parse(wb(['members', '--store', lab.store, '--json']).stdout) as { memberId: string }[];
  return members.map(({ memberId }) => memberId).toSorted();
}

/** The walk-through of the original, with its own file. */
function testWalkThrough(open: () => Promise<EmptyDatabase>): void {
  it("two terminals with the original's Config.toml: stop or kill the one that works, and the other one works", async () => {
    const database = await open();
    const lab = new RunLab(database.url);
    try {
      const { hostname, port, username, password, pathname } = new URL(database.url);
      const type = database.url.startsWith('mysql') ? '\ntype = "mysql"' : '';
      const start = (taskId: string): ChildProcess => {
        const folder = join(lab.directory, taskId);
        mkdirSync(folder);
        const file = `taskId = "${taskId}"
groupId = "task-group-01"
heartbeatFrequency = 1
livenessCheckInterval = 6

[databaseConfig]
host = "${hostname}"
user = "${username}"
password = "not ${password}"
database = "${pathname.slice(1)}"
port = ${port}${type}
`;
        writeFileSync(join(folder, 'Config.toml'), file);
        // What the environment says goes before the file.
        const env = { WB_DATABASE_PASSWORD: decodeURIComponent(password) };
        return lab.start(['--config', join(taskId, 'Config.toml')], [process.execPath, lab.worker, lab.log], env);
      };
      const first = start('node-1');
      await lab.leaderIs('node-1');
      start('node-2');
      await lab.joined('node-2');
      first.kill('SIGKILL');
      await lab.leaderIs('node-2');
      expect(lab.lastOf(1)).toBeLessThan(lab.firstOf(2));
      start('node-3');
      await lab.joined('node-3');
      process.kill(lab.lastBeat().pid, 'SIGKILL');
      await lab.leaderIs('node-3');
      expect(lab.lastOf(2)).toBeLessThan(lab.firstOf(3));
    } finally {
      await lab.end();
      await database.drop();
    }
  });
}

function report(samples: Readonly<Record<string, readonly number[]>>): void {
  for (const [name, values] of Object.entries(samples)) {
    const sorted = values.toSorted((a, b) => a - b);
    process.stderr.write(
      `${name}: min ${sorted[0]}, p50 ${sorted[Math.floor(sorted.length / 2)]}, max ${sorted.at(-1)} ms (${sorted.length})\n`,
    );
  }
}

describe('sqlite: wb run', () => {
  tests(emptySqliteDatabase, FEW);
});
describeServer('postgres', 'wb run', ({ url }) => {
  tests(() => emptyPostgresDatabase(url), SEVERAL);
  testWalkThrough(() => emptyPostgresDatabase(url));
});
for (const flavor of ['mysql', 'mariadb'] as const) {
  describeServer(flavor, 'wb run', ({ url }) => {
    tests(() => emptyMysqlDatabase(url), FEW);
    testWalkThrough(() => emptyMysqlDatabase(url));
  });
}
