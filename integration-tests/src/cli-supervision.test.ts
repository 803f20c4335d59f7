import Database from 'better-sqlite3';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, symlinkSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isAlive, RunLab, until } from './cli/run-lab.js';
import { wb } from './cli/wb-command.js';

/** Notes each signal that it gets, and ends with the code that is given for it, at once or never. */
const HEEDING = `
const { appendFileSync } = require('node:fs');
const codes = JSON.parse(process.argv[3]);
const note = (word) => appendFileSync(process.argv[2], word + '\\n');
for (const name of ['SIGTERM', 'SIGINT', 'SIGUSR1', 'SIGUSR2', 'SIGHUP'])
  process.on(name, () => { note(name); if (name in codes && --codes[name].times === 0) process.exit(codes[name].code); });
note('up ' + process.env.WB_TERM);
setInterval(() => {}, 1000);
`;

/** Makes every signal to COMMAND's group fail as it does when COMMAND runs as another user. */
const NOT_PERMITTED = `
const kill = process.kill;
process.kill = (pid, signal) => {
  if (pid < 0) throw Object.assign(new Error('kill EPERM'), { code: 'EPERM' });
  return kill.call(process, pid, signal);
};
`;

/** Makes the first start of COMMAND fail as it does when the machine has no process to spare. */
const NO_PROCESS = `
const processes = require('node:child_process');
const { spawn } = processes;
let count = 0;
processes.spawn = (...args) => {
  count += 1;
  if (count === 1) throw Object.assign(new Error('spawn EAGAIN'), { code: 'EAGAIN' });
  return spawn(...args);
};
require('node:module').syncBuiltinESMExports();
`;

/** Makes it impossible to watch a file, as it is when the user has no watches left. */
const NO_WATCH = `
require('node:fs').watch = () => {
  throw new Error('no watches left');
};
require('node:module').syncBuiltinESMExports();
`;

describe('wb run, as a supervisor', () => {
  let lab: RunLab;
  let noted: string;
  let group: readonly string[];

  beforeEach(() => {
    lab = new RunLab();
    noted = lab.path('noted', '');
    group = ['run', '--store', lab.store, '--group', 'g', '--member', 'm', '--ttl', '2', '--heartbeat', '0.2'];
  });

  afterEach(() => lab.end());

  const words = (): readonly string[] => readFileSync(noted, 'utf8').trim().split('\n');
  const heeds = (member: string, codes: Readonly<Record<string, { readonly code: number; readonly times: number }>>): ChildProcess =>
    lab.run(member, [process.execPath, lab.path('heeding.cjs', HEEDING), noted, JSON.stringify(codes)]);
  const said = (child: ChildProcess): string => lab.outputOf(child).stderr;
  const preload = (name: string, text: string): NodeJS.ProcessEnv => ({ NODE_OPTIONS: `--require=${lab.path(name, text)}` });
  const history = (): readonly unknown[] =>
    (JSON.parse(wb(['history', 'g', '--json', '--store', lab.store]).stdout) as { endReason: string | null }[]).map(
      ({ endReason }) => endReason,
    );

  it('T4: a database that is away: COMMAND gets SIGTERM, is killed before another may begin, and begins again when the database is back', async () => {
    const ignoring = `${readFileSync(lab.worker, 'utf8')}process.on('SIGTERM', () => appendFileSync(${JSON.stringify(noted)}, Date.now() + '\\n'));`;
    const child = lab.run('a', [process.execPath, lab.path('ignoring.cjs', ignoring), lab.log]);
    await lab.leaderIs('a');
    const { term, pid } = lab.lastBeat();
    const database = new Database(lab.store.replace('sqlite:', ''));
    try {
      const awayAtMs = Date.now();
      database.exec('begin immediate');
      await until(() => !isAlive(pid));
      expect(words()).toHaveLength(1);
      expect(Number(words()[0])).toBeLessThan(lab.lastOf(term));
      expect(lab.lastOf(term)).toBeLessThan(awayAtMs + 2_000);
    } finally {
      database.close();
    }
    await until(() => lab.lastBeat().term > term);
    expect(said(child)).toMatch(/the store failed, trying on: .*\n(.*\n)*.*the store answers again/);
    expect(child.exitCode).toBeNull();
  });

  it('W1: hints that cannot be had are told of once, and are no failure of the store', async () => {
    const child = lab.start(
      ['--store', lab.store, '--group', 'g', '--member', 'a', '--ttl', '2', '--heartbeat', '0.1'],
      [process.execPath, lab.worker, lab.log],
      preload('no-watch.cjs', NO_WATCH),
    );
    await lab.leaderIs('a');
    // Two more attempts, at the least.
    await pause(1_000);
    expect(said(child).match(/no hints: .*no watches left/g)).toHaveLength(1);
    expect(said(child)).not.toMatch(/the store (failed|answers again)/);
  });

  it('a COMMAND that has worked on after the SIGTERM of an outage ends later for a reason of its own', async () => {
    const child = lab.run('a', ['sh', '-c', 'trap "" TERM; until [ -s "$0" ]; do sleep 0.02; done', noted], '--ttl', '3');
    await until(() => said(child).includes('COMMAND is process'));
    const database = new Database(lab.store.replace('sqlite:', ''));
    try {
      database.exec('begin immediate');
      await until(() => said(child).includes('the lease is about to expire'));
    } finally {
      database.close();
    }
    await until(() => said(child).includes('the lease is trusted again'));
    lab.path('noted', 'end');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it('a keeper that is killed takes COMMAND with it, and wb ends with 125', async () => {
    const child = lab.work('a');
    await lab.leaderIs('a');
    const { pid } = lab.lastBeat();
    const [, keeper] = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
    process.kill(Number(keeper), 'SIGKILL');
    expect(await once(child, 'exit')).toEqual([125, null]);
    await until(() => !isAlive(pid));
    expect(said(child)).toContain('wb: error: the keeper process was killed; COMMAND was killed with it\n');
  });

  it('--on-exit restart: starts COMMAND again and again in the same term, and told to stop meanwhile ends as if by that signal', async () => {
    const child = lab.run('a', ['sh', '-c', 'echo "$WB_TERM" >> "$0"; exit 3', noted], '--on-exit', 'restart');
    await until(() => said(child).includes('starting it again in 0.4 s'));
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([143, null]);
    expect(new Set(words())).toEqual(new Set(['1']));
    expect(history()).toEqual(['stopped']);
  });

  it('a standby that led before ends as if by the signal, and not as its COMMAND did', async () => {
    const first = heeds('a', { SIGTERM: { code: 7, times: 1 } });
    await until(() => words().includes('up 1'));
    lab.work('b');
    await lab.joined('b');
    expect(wb(['resign', 'g', '--store', lab.store]).stdout).toBe('a 1\n');
    await lab.leaderIs('b');
    first.kill('SIGTERM');
    expect(await once(first, 'exit')).toEqual([143, null]);
  });

  it('T11: the history says whether COMMAND ended well', async () => {
    expect(wb([...group, '--', 'true']).status).toBe(0);
    expect(wb([...group, '--on-exit', 'exit', '--', 'sh', '-c', 'exit 3']).status).toBe(3);
    expect(wb([...group, '--', './no-such-program']).status).toBe(127);
    expect(history()).toEqual(['work-failed', 'work-failed', 'work-ended']);
    lab.run('a', ['sh', '-c', 'echo "$WB_TERM" >> "$0"', noted], '--on-exit', 'yield');
    await until(() => words().length === 2);
    expect(words()).toEqual(['4', '5']);
    expect(history().at(-4)).toBe('work-ended');
  });

  it('passes on what does not stop it, and the second signal that does', async () => {
    const child = heeds('a', { SIGTERM: { code: 5, times: 2 } });
    await until(() => words().includes('up 1'));
    child.kill('SIGUSR1');
    await until(() => words().includes('SIGUSR1'));
    child.kill('SIGUSR2');
    await until(() => words().includes('SIGUSR2'));
    child.kill('SIGTERM');
    await until(() => words().includes('SIGTERM'));
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([5, null]);
  });

  it('a hand-over that takes its time: wb resign says so with 124, and a signal meanwhile reaches COMMAND', async () => {
    const child = heeds('a', { SIGINT: { code: 9, times: 1 } });
    await until(() => words().includes('up 1'));
    const resigned = wb(['resign', 'g', '--timeout', '0.5', '--store', lab.store]);
    expect([resigned.status, resigned.stdout]).toEqual([124, '']);
    expect(resigned.stderr).toBe(
      'wb: error: a still leads "g" in term 1 after 0.5 s (its work may not heed its signal; the request stands)\n',
    );
    await until(() => words().includes('SIGTERM'));
    child.kill('SIGINT');
    expect(await once(child, 'exit')).toEqual([9, null]);
  });

  it('a COMMAND of another user, which may not be sent signals: says so, and keeps the lease until it has ended', async () => {
    const options = ['--store', lab.store, '--group', 'g', '--member', 'a', '--ttl', '2', '--heartbeat', '0.2', '--stop-timeout', '0.1'];
    const command = ['sh', '-c', 'echo up >> "$0"; until [ -e "$0.end" ]; do sleep 0.02; done; exit 6', noted];
    const child = lab.start(options, command, preload('not-permitted.cjs', NOT_PERMITTED));
    await until(() => words().includes('up'));
    child.kill('SIGTERM');
    await until(() => /: killed$/m.test(said(child)));
    expect(said(child).match(/error: COMMAND runs as another user and cannot be sent SIGTERM/g)).toHaveLength(1);
    expect(wb(['wait', 'g', '--store', lab.store]).stdout).toBe('a 1\n');
    lab.path('noted.end', '');
    expect(await once(child, 'exit')).toEqual([6, null]);
  });

  it('what cannot be run is told by its cause, and what may pass is tried again', () => {
    symlinkSync('loop', lab.path('loop'));
    for (const [command, code] of [
      ['x'.repeat(5_000), 'ENAMETOOLONG'],
      [`${noted}/x`, 'ENOTDIR'],
      [lab.path('loop'), 'ELOOP'],
    ] as const) {
      const { status, stderr } = wb([...group, '--quiet', '--', command]);
      expect([status, stderr]).toEqual([126, `wb: error: ${JSON.stringify(command)} cannot be run (${code})\n`]);
    }
    const passing = wb([...group, '--', 'sh', '-c', 'echo "$WB_TERM"'], preload('no-process.cjs', NO_PROCESS));
    expect([passing.status, passing.stdout]).toEqual([0, '5\n']);
    expect(passing.stderr).toContain('error: "sh" cannot be run (EAGAIN)\n');
  });

  it('COMMAND has the standard input; --quiet says nothing', () => {
    expect(wb([...group, '--quiet', '--', 'cat'], {}, undefined, 'hello')).toEqual(
      expect.objectContaining({ status: 0, stdout: 'hello', stderr: '' }),
    );
  });

  it('a reader of its messages that ends does COMMAND no harm', async () => {
    const child = lab.run('a', ['sh', '-c', 'until [ -s "$0" ]; do sleep 0.02; done; exit 4', noted], '--on-exit', 'exit');
    await until(() => said(child).includes('COMMAND is process'));
    child.stderr!.destroy();
    lab.path('noted', 'go');
    expect(await once(child, 'exit')).toEqual([4, null]);
  });
});
