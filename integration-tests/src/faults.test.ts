import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const PROGRAMS = fileURLToPath(new URL('../faults/dist/', import.meta.url));
/** Faults are injected for as long as this on each target, in minutes; servers have to start and to stop besides. */
const MINUTES = '0.35';
const LIMIT_MS = 300_000;
/** How long a program that has been told to end may take to leave nothing behind, in ms. */
const CLEAN_UP_MS = 20_000;
/** How many targets there are. */
const TARGETS = 6;
/** Of a target, in that time. */
const LEAST_FAULTS = 4;

/** Short runs of what `pnpm faults` and `pnpm fence-test` do for as long as one likes. Both fail if a server is missing that `WB_REQUIRE` names. */
describe('faults', () => {
  const directory = mkdtempSync(join(tmpdir(), 'wb-fault-reports-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it(
    'T2–T9: every target side by side, with processes, networks, servers and clocks broken on purpose: no violation',
    async ({ signal }) => {
      // Calls have the time that a TTL leaves them: a second one for what six databases and their members take of this machine.
      const crowd = ['--members', '3', '--groups', '5', '--ttl-ms', '3000', '--side-by-side', '2'];
      const args = ['--all', '--minutes', MINUTES, '--seed', '14', ...crowd, '--out', directory];
      const { code, output } = await run(signal, 'main.js', ...args);
      expect(output, output).toMatch(/^\d+ faults, \d+ takeovers, 0 violations$/m);
      expect(code, output).toBe(0);
      const [, takeoverCount] = /^\d+ faults, (\d+) takeovers, 0 violations$/m.exec(output)!;
      expect(Number(takeoverCount)).toBeGreaterThan(5);
      const perTarget = [...output.matchAll(/^ {2}(\d+) faults, \d+ takeovers, 0 violations$/gm)].map(([, count]) => Number(count));
      const skippedCount = output.match(/^[a-z-]+: skipped: /gm)?.length ?? 0;
      expect(perTarget.length + skippedCount, output).toBe(TARGETS);
      expect(Math.min(...perTarget), output).toBeGreaterThanOrEqual(LEAST_FAULTS);
    },
    LIMIT_MS,
  );

  it(
    'O1–O6: recurring jobs under faults: each occurrence is run exactly once',
    async ({ signal }) => {
      const args = ['--jobs', '--target', 'sqlite', '--minutes', MINUTES, '--seed', '12', '--members', '3', '--groups', '2'];
      const { code, output } = await run(signal, 'main.js', ...args, '--out', directory);
      expect(output, output).toMatch(/^[1-9]\d* occurrences, 0 twice, 0 lost$/m);
      expect(code, output).toBe(0);
    },
    LIMIT_MS,
  );

  it(
    'a planted fault is found: a claim that takes a group from its live holder',
    async ({ signal }) => {
      const args = ['--target', 'sqlite', '--plant', 'claim-without-guard', '--minutes', '2', '--members', '3', '--groups', '5'];
      const { code, output } = await run(signal, 'main.js', ...args, '--out', directory);
      expect(output, output).toMatch(/VIOLATION of T[26]/);
      expect(code).toBe(1);
    },
    LIMIT_MS,
  );

  it('an interrupted run leaves nothing behind, and says so with its exit code', async () => {
    const own = mkdtempSync(join(tmpdir(), 'wb-interrupted-'));
    const args = [join(PROGRAMS, 'main.js'), '--target', 'sqlite', '--minutes', '5', '--members', '3', '--groups', '2', '--out', directory];
    const child = spawn(process.execPath, args, { env: { ...process.env, TMPDIR: own }, stdio: ['ignore', 'ignore', 'pipe'] });
    const ended = once(child, 'exit');
    // Its first line of progress: members run, and one of them is frozen or gone before long.
    await once(child.stderr, 'data');
    expect(readdirSync(own)).not.toEqual([]);
    expect(processesWith(own)).not.toEqual([]);
    child.kill('SIGINT');
    expect(await ended).toEqual([130, null]);
    expect(readdirSync(own)).toEqual([]);
    expect(processesWith(own)).toEqual([]);
    rmSync(own, { recursive: true });
  });

  it(
    'T8: leaders that are frozen while they write, on every database: no stale commit; without a fence, a stale commit each time',
    async ({ signal }) => {
      const { code, output } = await run(signal, 'fence/main.js', '--freezes', '4', '--control', '2');
      expect(output, output).toMatch(/^\d+ freezes, 0 stale commits$/m);
      const [, controlCount, harmfulCount] = /^without a fence: (\d+) freezes, (\d+) with stale commits$/m.exec(output)!;
      expect(Number(controlCount)).toBeGreaterThan(0);
      expect(harmfulCount).toBe(controlCount);
      expect(code, output).toBe(0);
    },
    LIMIT_MS,
  );
});

/** Processes with a text in their command line: members have the path of their database there. */
function processesWith(text: string): string[] {
  const commandLine = (pid: string): string => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    } catch {
      return '';
    }
  };
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && commandLine(name).includes(text));
}

/** Does not outlive the test: it is told to end when that runs out of time. */
async function run(signal: AbortSignal, program: string, ...args: string[]): Promise<{ readonly code: number; readonly output: string }> {
  return await new Promise((resolve, reject) => {
    const options = { maxBuffer: 1e8, signal, timeout: LIMIT_MS - CLEAN_UP_MS };
    execFile(process.execPath, [join(PROGRAMS, program), ...args], options, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number') reject(new Error(`${error.message}\n${stdout}\n${stderr}`, { cause: error }));
      else resolve({ code: error === null ? 0 : Number(error.code), output: `${stdout}\n${stderr}` });
    });
  });
}
