import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const wb = join(dirname(createRequire(import.meta.url).resolve('@wb/cli')), '..', 'bin', 'wb.js');
const ROUNDS = Number(process.env['WB_KILL_ROUNDS'] ?? 10);
/** Notes every 5 ms that it is alive; SIGTERM does not end it. */
const WORKER = `
const { appendFileSync } = require('node:fs');
process.on('SIGTERM', () => {});
const { WB_MEMBER, WB_TERM, WB_GROUP } = process.env;
setInterval(() => appendFileSync(process.argv[2], [WB_GROUP, WB_MEMBER, WB_TERM, process.pid, Date.now()].join(' ') + '\\n'), 5);
`;

interface Beat {
  readonly member: string;
  readonly term: number;
  readonly pid: number;
  readonly atMs: number;
}

describe('the wb command', () => {
  let directory: string;
  let store: string;
  let log: string;
  let worker: string;
  const started: ChildProcess[] = [];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'wb-cli-'));
    store = `sqlite:${join(directory, 'wb.db')}`;
    log = join(directory, 'beats');
    worker = join(directory, 'worker.cjs');
    writeFileSync(worker, WORKER);
    writeFileSync(log, '');
  });

  afterEach(async () => {
    for (const child of started.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exit = once(child, 'exit');
      child.kill('SIGCONT');
      child.kill('SIGKILL');
      await exit;
    }
    // Their keepers kill the workers, which write until then.
    const pids = new Set(beats().map(({ pid }) => pid));
    await until(() => [...pids].every((pid) => !isAlive(pid)));
    rmSync(directory, { recursive: true, force: true });
  });

  const sync = (args: readonly string[], env: NodeJS.ProcessEnv = {}): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(process.execPath, [wb, ...args], { encoding: 'utf8', env: { ...process.env, ...env }, cwd: directory });
  const run = (member: string, command: readonly string[], ...options: readonly string[]): ChildProcess => {
    const args = ['run', '--store', store, '--group', 'g', '--member', member, '--ttl', '2', '--heartbeat', '0.2', ...options];
    const child = spawn(process.execPath, [wb, ...args, '--', ...command], { stdio: ['ignore', 'pipe', 'pipe'] });
    started.push(child);
    return child;
  };
  const work = (member: string, ...options: readonly string[]): ChildProcess => run(member, [process.execPath, worker, log], ...options);
  const beats = (): readonly Beat[] =>
    readFileSync(log, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => line.split(' '))
      .map(([, member, term, pid, atMs]) => ({ member: member!, term: Number(term), pid: Number(pid), atMs: Number(atMs) }));
  const until = async (condition: () => boolean): Promise<void> => {
    const deadlineMs = Date.now() + 20_000;
    while (!condition()) {
      if (Date.now() > deadlineMs) throw new Error('the state was not reached within 20 s');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const leaderIs = (member: string): Promise<void> => until(() => beats().at(-1)?.member === member);
  const lastOf = (term: number): number => beats().findLast((beat) => beat.term === term)!.atMs;
  const firstOf = (term: number): number => beats().find((beat) => beat.term === term)!.atMs;
  const isAlive = (pid: number): boolean => {
    try {
      // A zombie has ended; somebody has to read its end.
      return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
    } catch {
      return false;
    }
  };

  it(`kill -9 of the supervisor: its worker is gone before the other's begins, ${ROUNDS} times`, async () => {
    let leader = work('m0');
    await leaderIs('m0');
    for (let round = 1; round <= ROUNDS; round += 1) {
      const { pid, term } = beats().at(-1)!;
      const standby = work(`m${round}`);
      await until(() => sync(['members', '--store', store, '--json']).stdout.includes(`"m${round}"`));
      const killedAtMs = Date.now();
      leader.kill('SIGKILL');
      await until(() => !isAlive(pid));
      await leaderIs(`m${round}`);
      expect(lastOf(term)).toBeLessThan(firstOf(term + 1));
      // At once, and not only when trust ends.
      expect(lastOf(term) - killedAtMs).toBeLessThan(1_000);
      leader = standby;
    }
  }, 600_000);

  it("a frozen supervisor: its worker, which ignores SIGTERM, is killed before the other's begins", async () => {
    const leader = work('a');
    await leaderIs('a');
    const { term, pid } = beats().at(-1)!;
    work('b');
    leader.kill('SIGSTOP');
    await leaderIs('b');
    expect(isAlive(pid)).toBe(false);
    expect(lastOf(term)).toBeLessThan(firstOf(term + 1));
  });

  it('a worker that crashes: another member takes over by the next heartbeat, not after the TTL, and this one stands by', async () => {
    work('a');
    await leaderIs('a');
    const { pid } = beats().at(-1)!;
    work('b');
    await until(() => sync(['members', '--store', store, '--json']).stdout.includes('"b"'));
    process.kill(pid, 'SIGKILL');
    await leaderIs('b');
    expect(beats().at(-1)!.term).toBe(2);
    const members = JSON.parse(sync(['members', '--store', store, '--json']).stdout) as { memberId: string }[];
    expect(members.map(({ memberId }) => memberId).toSorted()).toEqual(['a', 'b']);
  });

  it('kills what COMMAND has left behind in its process group before the lease is released', async () => {
    const child = run('a', ['sh', '-c', `"${process.execPath}" "${worker}" "${log}" & until [ -s "${log}" ]; do sleep 0.01; done`]);
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(isAlive(beats().at(-1)!.pid)).toBe(false);
  });

  it('passes signals on, and ends as COMMAND ended', async () => {
    const script = `process.on('SIGTERM', () => process.exit(7)); require('node:fs').writeFileSync(${JSON.stringify(join(directory, 'up'))}, ''); setInterval(() => {}, 1000)`;
    const child = run('a', [process.execPath, '-e', script]);
    await until(() => existsSync(join(directory, 'up')));
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([7, null]);
    expect(sync(['members', '--store', store, '--json']).stdout).toBe('[]\n');
  });

  it('exit codes are those of env and timeout', () => {
    const group = ['run', '--store', store, '--group', 'g'];
    expect(sync([...group, '--', 'sh', '-c', 'exit 0']).status).toBe(0);
    expect(sync([...group, '--on-exit', 'exit', '--', 'sh', '-c', 'exit 3']).status).toBe(3);
    expect(sync([...group, '--on-exit', 'exit', '--', 'sh', '-c', 'kill -9 $$']).status).toBe(137);
    expect(sync([...group, '--', './no-such-program']).status).toBe(127);
    expect(sync([...group, '--', directory]).status).toBe(126);
    expect(sync([...group, '--kill-after', '9', '--', 'true']).status).toBe(125);
    expect(sync(['run', '--nonsense']).status).toBe(125);
    expect(sync(['wait', 'nobody', '--store', store, '--timeout', '0.5']).status).toBe(124);
  });

  it('gives COMMAND its group, term and member, its streams and its arguments', () => {
    const print = ['--', 'sh', '-c', 'echo "$WB_GROUP $WB_TERM $WB_MEMBER $1"', 'sh', '--group'];
    const first = sync(['run', '--store', store, '--group', 'g', '--member', 'a', ...print]);
    const second = sync(['run', '--store', store, '--group', 'g', '--member', 'b', ...print]);
    expect([first.stdout, second.stdout]).toEqual(['g 1 a --group\n', 'g 2 b --group\n']);
  });

  it('status, wait and members tell who leads', async () => {
    work('a');
    await leaderIs('a');
    expect(sync(['wait', 'g', '--store', store]).stdout).toBe('a 1\n');
    const rows = JSON.parse(sync(['status', 'g', 'other', '--json', '--store', store]).stdout) as unknown;
    expect(rows).toMatchObject([
      { groupId: 'g', leader: 'a', term: 1, standbyCount: 0, leadingForMs: expect.any(Number) as number },
      { groupId: 'other', leader: null, term: 0, remainingMs: null },
    ]);
    const text = sync(['status', 'g', 'other', '--store', store])
      .stdout.replaceAll(/\d+\.\d+ s|\d+ s/g, '#')
      .replaceAll(/ +/g, ' ');
    expect(text).toBe('GROUP LEADER TERM SINCE REMAINING STANDBYS HEARTBEAT AGE\ng a 1 # # 0 #\nother (nobody) 0 - - 0 -\n');
  });

  it('uses a file in the state folder when no store is named, and says so on the first line', () => {
    const { stderr, stdout } = sync(['migrate'], { XDG_STATE_HOME: join(directory, 'state'), WB_STORE: '' });
    const file = join(directory, 'state', 'wb', 'wb.db');
    expect(stderr.split('\n')[0]).toBe(`wb: no store named: SQLite file ${file}, for this machine alone`);
    expect(stdout).toBe(`up to date: SQLite file ${file}\n`);
    expect(existsSync(file)).toBe(true);
  });

  it('tells a failure in one line without the password', () => {
    const { status, stderr } = sync(['members', '--verbose', '--store', 'postgres://u:hunter2@127.0.0.1:1/d']);
    expect(status).toBe(125);
    expect(stderr.split('\n')[0]).toMatch(/^wb: error: .*is the server up/);
    expect(stderr).not.toContain('hunter2');
  });
});
