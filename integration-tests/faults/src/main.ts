/**
 * `pnpm faults --target postgres --minutes 30 --seed 7`: breaks things on purpose, and checks what everyone saw. `--all` runs every target side by side, `--plant NAME` runs with a planted
 * fault, which must be found.
 *
 * @module
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { runFaults, type FaultRunResult } from './fault-run.js';
import { plantedFaults } from './planted-faults.js';
import { ProgressLines } from './progress-lines.js';
import { formatReport, summary } from './report.js';
import { targetNames } from './targets/index.js';
import { timelineSvg } from './timeline-svg.js';

const { values } = parseArgs({
  options: {
    target: { type: 'string', default: 'sqlite' },
    all: { type: 'boolean', default: false },
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
    members: { type: 'string', default: '4' },
    groups: { type: 'string', default: '5' },
    'ttl-ms': { type: 'string', default: '2000' },
    plant: { type: 'string' },
    out: { type: 'string', default: 'fault-reports' },
  },
});

const RANGES = {
  minutes: [0.01, 10_000],
  seed: [0, 4_294_967_295],
  members: [2, 20],
  groups: [1, 200],
  'ttl-ms': [500, 60_000],
} as const;

process.exitCode = await main();

async function main(): Promise<number> {
  const names = values.all ? targetNames : [values.target];
  const unknown = names.find((name) => !targetNames.includes(name));
  if (unknown !== undefined) return usage(`there is no target ${unknown}; there are ${targetNames.join(', ')}`);
  if (values.plant !== undefined && !(values.plant in plantedFaults)) {
    return usage(`there is no planted fault ${values.plant}; there are ${Object.keys(plantedFaults).join(', ')}`);
  }
  const bad = Object.entries(RANGES).find(([name, [least, most]]) => {
    const value = Number(values[name as keyof typeof RANGES]);
    return !(value >= least && value <= most);
  });
  if (bad) return usage(`\`--${bad[0]}\` (${values[bad[0] as keyof typeof RANGES]}) must be a number from ${bad[1].join(' to ')}`);
  const progress = new ProgressLines(names);
  const results = await Promise.all(names.map((target) => run(target, progress)));
  progress.end();
  const done = results.filter((result) => typeof result !== 'string');
  for (const [at, result] of results.entries())
    console.log(`${typeof result === 'string' ? `${names[at]}: skipped: ${result}` : formatReport(result)}\n`);
  console.log(summary(done));
  return done.length > 0 && done.every(({ violations }) => violations.length === 0) ? 0 : 1;
}

async function run(target: string, progress: ProgressLines): Promise<FaultRunResult | string> {
  const directory = resolve(values.out, `${target}-${values.seed}${values.plant === undefined ? '' : `-${values.plant}`}`);
  // Histories are appended to: those of an earlier run must be gone.
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const result = await runFaults({
    target,
    seed: Number(values.seed),
    durationMs: Number(values.minutes) * 60_000,
    memberCount: Number(values.members),
    groupCount: Number(values.groups),
    ttlMs: Number(values['ttl-ms']),
    directory: join(directory, 'histories'),
    ...(values.plant !== undefined && { plant: values.plant, stopAtViolation: true }),
    onProgress: (now) => progress.show(target, now, Number(values.minutes) * 60_000),
  });
  if (typeof result !== 'string') {
    writeFileSync(join(directory, 'timeline.svg'), timelineSvg(result));
    writeFileSync(join(directory, 'report.txt'), `${formatReport(result)}\n`);
  }
  return result;
}

function usage(message: string): number {
  console.error(message);
  return 2;
}
