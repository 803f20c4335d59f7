import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isAlive, RunLab, until } from './cli/run-lab.js';
import { wb } from './cli/wb-command.js';

describe('the wb command', () => {
  let lab: RunLab;
  let directory: string;
  let store: string;
  let log: string;
  let worker: string;

  beforeEach(() => {
    lab = new RunLab();
    ({ directory, store, log, worker } = lab);
  });

  afterEach(() => lab.end());

  const sync = (args: readonly string[], env: NodeJS.ProcessEnv = {}): ReturnType<typeof wb> => wb(args, env, directory);

  it('kills what COMMAND has left behind in its process group before the lease is released', async () => {
    const child = lab.run('a', ['sh', '-c', `"${process.execPath}" "${worker}" "${log}" & until [ -s "${log}" ]; do sleep 0.01; done`]);
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(isAlive(lab.beats().at(-1)!.pid)).toBe(false);
  });

  it('passes signals on, and ends as COMMAND ended', async () => {
    const script = `process.on('SIGTERM', () => process.exit(7)); require('node:fs').writeFileSync(${JSON.stringify(join(directory, 'up'))}, ''); setInterval(() => {}, 1000)`;
    const child = lab.run('a', [process.execPath, '-e', script]);
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
    lab.work('a');
    await lab.leaderIs('a');
    expect(sync(['wait', 'g', '--store', store]).stdout).toBe('a 1\n');
    const rows = JSON.parse(sync(['status', 'g', 'other', '--json', '--store', store]).stdout) as unknown;
    expect(rows).toMatchObject([
      { groupId: 'g', leader: 'a', term: 1, standbyCount: 0, leadingForMs: expect.any(Number) as number },
      { groupId: 'other', leader: null, term: 0, remainingMs: null },
    ]);
    expect(JSON.parse(sync(['status', '--json', '--store', store]).stdout)).toMatchObject([{ groupId: 'g', leader: 'a' }]);
    const text = sync(['status', 'g', 'other', '--store', store])
      .stdout.replaceAll(/\d+\.\d+ s|\d+ s/g, '#')
      .replaceAll(/ +/g, ' ');
    expect(text).toBe('GROUP LEADER TERM SINCE REMAINING STANDBYS HEARTBEAT AGE\ng a 1 # # 0 #\nother (nobody) 0 - - 0 -\n');
  });

  it('resign makes the leader hand over, and history tells who led and why it ended', async () => {
    lab.work('a', '--stop-timeout', '1');
    await until(() => lab.beats().length > 0);
    lab.work('b');
    await lab.joined('b');
    const resigned = sync(['resign', 'g', '--store', store]);
    expect([resigned.status, resigned.stdout]).toEqual([0, 'a 1\n']);
    await until(() => lab.beats().some(({ member }) => member === 'b'));
    const history = sync(['history', 'g', '--json', '--store', store]);
    expect(JSON.parse(history.stdout)).toMatchObject([
      { term: 2, memberId: 'b', endedAgoMs: null, endReason: null },
      { term: 1, memberId: 'a', endReason: 'resigned' },
    ]);
    const nobody = sync(['resign', 'another', '--store', store]);
    expect([nobody.status, nobody.stdout, nobody.stderr]).toEqual([0, '', 'wb: nobody leads "another"\n']);
    expect(sync(['history', 'g', '--limit', '101', '--store', store]).status).toBe(125);
  });

  it('uses a file in the state folder when no store is named, and says so on the first line', () => {
    const { stderr, stdout } = sync(['migrate'], { XDG_STATE_HOME: join(directory, 'state'), WB_STORE: '' });
    const file = join(directory, 'state', 'wb', 'wb.db');
    expect(stderr.split('\n')[0]).toBe(`wb: no store named: SQLite file ${file}, for this machine alone`);
    expect(stdout).toBe(`up to date: SQLite file ${file}\n`);
    expect(existsSync(file)).toBe(true);
  });
});
