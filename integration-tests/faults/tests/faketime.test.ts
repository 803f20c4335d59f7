import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clockEnvironment, findLibfaketime, moveClock, setOffset, type ClockLooks } from '../src/faketime.js';

const library = findLibfaketime();
/** Answers each line with its wall clock, less its monotonic one, in ms. */
const PROGRAM = `process.stdin.on('data', () => console.log(Date.now() - Number(process.hrtime.bigint() / 1000n) / 1000));`;
/** How far two looks at two clocks are apart on a busy machine, in ms. */
const NEAR_MS = 30;

describe.skipIf(library === null)('the clock of a process with libfaketime', () => {
  let directory: string;
  let file: string;
  let child: ChildProcess;
  let lines: Interface;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'wb-clock-'));
    file = join(directory, 'offset');
    setOffset(file, '+0');
    start('always');
  });

  function start(looks: ClockLooks): void {
    child = spawn(process.execPath, ['-e', PROGRAM], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, LD_PRELOAD: library!, ...clockEnvironment(file, looks) },
    });
    lines = createInterface(child.stdout!);
  }

  async function end(): Promise<void> {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  afterEach(async () => {
    await end();
    rmSync(directory, { recursive: true, force: true });
  });

  async function difference(): Promise<number> {
    const line = once(lines, 'line');
    child.stdin!.write('?\n');
    return Number((await line)[0]);
  }

  /** The real time passes, whatever the clocks say. */
  async function pass(ms: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, ms));
  }

  it('is stepped, and comes back', async () => {
    const atFirstMs = await difference();
    setOffset(file, '+3600');
    expect(Math.abs((await difference()) - atFirstMs - 3_600_000)).toBeLessThan(NEAR_MS);
    setOffset(file, '+0');
    expect(Math.abs((await difference()) - atFirstMs)).toBeLessThan(NEAR_MS);
  });

  it('that looks at it now and then is stepped when that is said to be done', async () => {
    await end();
    start('now and then');
    const atFirstMs = await difference();
    await moveClock(file, '-3600', 'now and then');
    expect(Math.abs((await difference()) - atFirstMs + 3_600_000)).toBeLessThan(NEAR_MS);
    await moveClock(file, '+0', 'now and then');
    expect(Math.abs((await difference()) - atFirstMs)).toBeLessThan(NEAR_MS);
  });

  it.each([
    { rate: 1.2, sign: 1 },
    { rate: 0.8, sign: -1 },
  ])('goes at the rate of $rate from when that is set, without a step, until it is healed', async ({ rate, sign }) => {
    // A rate that counted from the process's beginning would come with a step.
    await pass(300);
    const atFirstMs = await difference();
    setOffset(file, `+0 x${rate}`);
    const atOnceMs = await difference();
    expect(Math.abs(atOnceMs - atFirstMs)).toBeLessThan(NEAR_MS);
    await pass(300);
    const laterMs = await difference();
    expect((laterMs - atOnceMs) * sign).toBeGreaterThan(50);
    setOffset(file, '+0 x1');
    const healedMs = await difference();
    expect(Math.abs(healedMs - laterMs)).toBeLessThan(NEAR_MS);
    await pass(100);
    expect(Math.abs((await difference()) - healedMs)).toBeLessThan(NEAR_MS);
  });
});
