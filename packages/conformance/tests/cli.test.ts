import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { ConformanceReport } from '../src/index.js';

/** The built command, as a user has it. */
const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
const RUNS = 20;
const AT_ONCE = 4;

describe('wb-conformance', () => {
  it(`the memory store passes everything, ${RUNS} times, with random seeds`, async () => {
    const seeds = new Set<number>();
    const lane = async (): Promise<void> => {
      for (let run = 0; run < RUNS / AT_ONCE; run += 1) {
        const { code, stdout } = await command('memory.js', '--json');
        const report = JSON.parse(stdout) as ConformanceReport;
        expect(report.cases.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
        expect([code, report.failedCount]).toEqual([0, 0]);
        expect(report.passedCount).toBeGreaterThanOrEqual(60);
        expect(report.cases.filter(({ outcome, skipReason }) => outcome === 'skipped' && !skipReason)).toEqual([]);
        seeds.add(report.seed);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    expect(seeds.size).toBe(RUNS);
  });

  it('a broken store ends with exit code 1, and the rule, what was expected, what happened, and how to repeat it', async () => {
    const { code, stdout } = await command('broken.js', '--case', 'L3', '--seed', '7');
    expect(code).toBe(1);
    expect(stdout).toContain('L3.4 breaks rule L3: a late or repeated release frees nothing that came after it');
    expect(stdout).toMatch(/expected \[.*'not-held'.*but it was \[.*'released'/s);
    expect(stdout).toContain('again: --case L3.4 --seed 7');
    expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/^\d+ passed, \d+ failed, \d+ skipped$/);
  });

  it('a command line that makes no sense ends with exit code 2 and the usage', async () => {
    for (const [args, message] of [
      [[], 'name one module'],
      [['missing.js'], 'Cannot find module'],
      [['memory.js', '--case', 'Q9'], '`only` names no case: Q9'],
      [['memory.js', '--seed', 'x'], '`seed` (NaN)'],
      [['memory.js', '--colour'], "Unknown option '--colour'"],
    ] as const) {
      const { code, stderr } = await command(...args);
      expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
      expect(stderr).toContain('usage: wb-conformance <module>');
    }
  });
});

async function command(...args: readonly string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  return await new Promise((resolve) => {
    execFile(
      process.execPath,
      [CLI, ...args],
      { cwd: fileURLToPath(new URL('../targets', import.meta.url)), maxBuffer: 2 ** 24 },
      (error, stdout, stderr) => resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
    );
  });
}
