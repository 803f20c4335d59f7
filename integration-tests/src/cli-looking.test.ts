import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RunLab, until } from './cli/run-lab.js';
import { WB, wb } from './cli/wb-command.js';

const NOWHERE = 'postgres://u:hunter2@127.0.0.1:1/d';

describe('the commands of wb that look', () => {
  let lab: RunLab;

  beforeEach(() => {
    lab = new RunLab();
  });

  afterEach(() => lab.end());

  it('create no file, and say that there is none', () => {
    const env = { XDG_STATE_HOME: lab.path('state') };
    for (const args of [['status'], ['resign', 'g'], ['jobs', 'g'], ['doctor'], ['guard', 't']]) {
      const { status, stderr } = wb(args, env);
      expect([args, status]).toEqual([args, 125]);
      expect(stderr).toMatch(/^wb: no store named: .*\nwb: error: there is no SQLite file .* \(`wb run` and `wb migrate` create it\)\n$/);
    }
    const waited = wb(['wait', 'g', '--timeout', '0.3'], env);
    expect([waited.status, waited.stderr]).toEqual([124, expect.stringContaining('it is not known after 0.3 s whether anybody leads "g"')]);
    expect(wb(['migrate', '--print'], env).stdout).toMatch(/\nbegin immediate;\n(.*\n)+commit;\n$/);
    expect(existsSync(env.XDG_STATE_HOME)).toBe(false);
  });

  it('wait is there before the first member', async () => {
    const waiting = lab.wb(['wait', 'g', '--store', lab.store]);
    await until(() => lab.outputOf(waiting).stderr.includes('trying on'));
    lab.work('a');
    expect(await once(waiting, 'exit')).toEqual([0, null]);
    expect(lab.outputOf(waiting).stdout).toBe('a 1\n');
  });

  it('do not take a database that fails for an answer', () => {
    const waited = wb(['wait', 'g', '--timeout', '0.3', '--store', NOWHERE]);
    expect([waited.status, waited.stdout]).toEqual([124, '']);
    expect(waited.stderr.split('\n').at(-2)).toMatch(/^wb: error: it is not known after 0\.3 s whether anybody leads "g": /);
    const broken = wb(['wait', 'g', '--store', `sqlite:${lab.path('broken.db', 'x'.repeat(8_192))}`]);
    expect([broken.status, broken.stderr]).toEqual([125, expect.stringMatching(/^wb: error: .*SQLITE_NOTADB.*\n$/)]);
  });

  it('tell a failure in one line, and no secret', () => {
    const { status, stderr } = wb(['members', '--store', NOWHERE]);
    expect([status, stderr]).toEqual([125, expect.stringMatching(/^wb: error: [^\n]*\(is the server up, and the URL right\?\)\n$/)]);
    const mistyped = wb(['members', `--stroe=${NOWHERE}`]);
    expect([mistyped.status, mistyped.stderr]).toEqual([125, expect.stringContaining('postgres://***@127.0.0.1:1/d')]);
    // The file's name comes back in what SQLite says.
    const named = wb(['members', '--verbose', '--store', `sqlite:${lab.path('broken.db', 'x'.repeat(8_192))}`]);
    expect(named.stderr.split('\n').length).toBeGreaterThan(2);
    const ofCommand = wb(['run', '--group', 'g', '--store', lab.store, '--kill-after', '9', '--', 'true', '--verbose']);
    expect([ofCommand.status, ofCommand.stderr]).toEqual([125, expect.stringMatching(/^wb: error: --kill-after [^\n]*\n$/)]);
    const timings = wb(['run', '--group', 'g', '--store', lab.store, '--ttl', '1', '--heartbeat', '0.5', '--', 'true']);
    expect(timings.stderr).toContain('(see --heartbeat, in seconds)\n');
  });

  it('--watch is lines in a pipe, JSON if asked for, and ends with its reader', async () => {
    wb(['migrate', '--store', lab.store]);
    const args = ['status', 'g', '--watch', '--interval', '0.1', '--store', lab.store];
    const text = lab.wb(args);
    const json = lab.wb([...args, '--json']);
    const look = 'GROUP  LEADER    TERM  SINCE  REMAINING  STANDBYS  HEARTBEAT AGE\ng      (nobody)  0     -      -          0         -\n';
    await until(() => lab.outputOf(text).stdout.length >= 2 * look.length && lab.outputOf(json).stdout.split('\n').length > 2);
    expect(lab.outputOf(text).stdout.slice(0, 2 * look.length)).toBe(look + look);
    for (const line of lab.outputOf(json).stdout.split('\n').slice(0, 2))
      expect(JSON.parse(line)).toMatchObject([{ groupId: 'g', leader: null }]);
    const piped = spawnSync('bash', ['-c', '"$@" | head -1; echo "${PIPESTATUS[0]}"', 'bash', process.execPath, WB, ...args], {
      encoding: 'utf8',
    });
    expect([piped.stdout, piped.stderr]).toEqual([`${look.split('\n')[0]!}\n141\n`, '']);
  });

  it('--version is that of the package', () => {
    expect(wb(['--version']).stdout).toMatch(/^\d+\.\d+\.\d+.*\n$/);
  });
});
