import { execFileSync, spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RunLab, until } from './cli/run-lab.js';
import { WB } from './cli/wb-command.js';

const SOCKET = `wb-watch-${process.pid}`;
const isInstalled = spawnSync('tmux', ['-V']).status === 0;

/** What the terminal shows, with a `#` for each duration. */
const FIRST = `\
GROUP  LEADER    TERM  SINCE  REMAINING  STANDBYS  HEARTBEAT AGE
g      node-1    1     #      #          1         #
other  (nobody)  0     -      -          0         -`;
const SECOND = `\
GROUP  LEADER    TERM  SINCE  REMAINING  STANDBYS  HEARTBEAT AGE
g      node-2    2     #      #          0         #
other  (nobody)  0     -      -          0         -`;
const SMALL = `\
GROUP  LEADER    TERM  SINCE…
… and 2 more`;

function tmux(...args: readonly string[]): string {
  return execFileSync('tmux', ['-L', SOCKET, '-f', '/dev/null', ...args], { encoding: 'utf8' });
}

describe('wb status --watch in a terminal', () => {
  if (!isInstalled) {
    it('needs tmux', (context) => {
      context.skip('tmux is not installed: Debian has a package of that name');
      expect.unreachable();
    });
    return;
  }
  let lab: RunLab;

  beforeEach(() => {
    lab = new RunLab();
  });

  afterEach(async () => {
    spawnSync('tmux', ['-L', SOCKET, 'kill-server']);
    await lab.end();
  });

  /** What the terminal shows, with every duration as a `#`; the columns stay where they are. */
  const shown = (): string =>
    tmux('capture-pane', '-p')
      .replaceAll(/\d+(\.\d)? (s|min)/g, (duration) => '#'.padEnd(duration.length))
      .replaceAll(/ +$/gm, '')
      .trimEnd();
  /** What it shows at last. */
  const settled = async (text: string): Promise<string> => {
    await until(() => shown() === text).catch(() => undefined);
    return shown();
  };

  it('draws the table in place, and draws the next leader over the last', async () => {
    const leader = lab.work('node-1', '--ttl', '20', '--stop-timeout', '0.5');
    await lab.leaderIs('node-1');
    lab.work('node-2', '--ttl', '20');
    await lab.joined('node-2');
    const watch = [process.execPath, WB, 'status', 'g', 'other', '--watch', '--interval', '0.1', '--store', lab.store];
    // A terminal that is full of what was there before.
    const full = `for line in $(seq 29); do printf '%0110d\\n' 7; done; exec "$@"`;
    tmux('new-session', '-d', '-x', '120', '-y', '30', 'sh', '-c', full, 'sh', ...watch);
    expect(await settled(FIRST)).toBe(FIRST);
    leader.kill('SIGTERM');
    expect(await settled(SECOND)).toBe(SECOND);
    // Narrower and lower than the table: cut off, and nothing of it is left elsewhere.
    tmux('resize-window', '-x', '30', '-y', '3');
    expect(await settled(SMALL)).toBe(SMALL);
  });
});
