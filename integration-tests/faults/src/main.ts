/**
 * `pnpm faults --target sqlite --minutes 5 --seed 7`: breaks things on purpose, and checks what everyone saw. `--all` runs every target side by side, `--plant NAME` runs with a planted
 * fault, which must be found.
 *
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { runFaults, type FaultRunResult } from './fault-run.js';
import { plantedFaults } from './planted-faults.js';
import { formatReport } from './report.js';
import { targets } from './targets/index.js';
import { timelineSvg } from './timeline-svg.js';

const { values } = parseArgs({
  options: {
    target: { type: 'string', default: 'sqlite' },
    all: { type: 'boolean', default: false },
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
    members: { type: 'string', default: '4' },
    groups: { type: 'string', default: '5' },
    'ttl-ms': { type: 'string', default: '1500' },
    plant: { type: 'string' },
    out: { type: 'string', default: 'fault-reports' },
  },
});

process.exitCode = await main();

async function main(): Promise<number> {
  const names = values.all ? Object.keys(targets) : [values.target];
  const unknown = names.find((name) => !(name in targets));
  if (unknown !== undefined) return usage(`there is no target ${unknown}; there are ${Object.keys(targets).join(', ')}`);
  if (values.plant !== undefined && !(values.plant in plantedFaults)) {
    return usage(`there is no planted fault ${values.plant}; there are ${Object.keys(plantedFaults).join(', ')}`);
  }
  const number = (name: 'minutes' | 'seed' | 'members' | 'groups' | 'ttl-ms'): number => Number(values[name]);
  const bad = (['minutes', 'seed', 'members', 'groups', 'ttl-ms'] as const).find((name) => !(number(name) > 0));
  if (bad) return usage(`\`--${bad}\` (${values[bad]}) must be a number above 0`);
  const results = await Promise.all(names.map((target) => run(target, number)));
  const sum = (of: (result: FaultRunResult) => number): number => results.reduce((total, result) => total + of(result), 0);
  for (const result of results) console.log(`${formatReport(result)}\n`);
  console.log(
    `${sum((result) => result.faults.length)} faults, ${sum((result) => result.takeoverCount)} takeovers, ${sum((result) => result.violations.length)} violations`,
  );
  return results.every((result) => result.violations.length === 0) ? 0 : 1;
}

async function run(
  target: string,
  number: (name: 'minutes' | 'seed' | 'members' | 'groups' | 'ttl-ms') => number,
): Promise<FaultRunResult> {
  const directory = resolve(values.out, `${target}-${number('seed')}${values.plant === undefined ? '' : `-${values.plant}`}`);
  mkdirSync(directory, { recursive: true });
  const result = await runFaults({
    target,
    seed: number('seed'),
    durationMs: number('minutes') * 60_000,
    memberCount: number('members'),
    groupCount: number('groups'),
    ttlMs: number('ttl-ms'),
    directory: join(directory, 'histories'),
    ...(values.plant !== undefined && { plant: values.plant }),
    onProgress: ({ faultCount, elapsedMs, last }) => {
      if (process.stderr.isTTY)
        process.stderr.write(`\r\u001B[K${(elapsedMs / 1_000).toFixed(0)} s, ${faultCount} faults, ${target}: ${last}`);
      else if (faultCount % 25 === 24) process.stderr.write(`${target}: ${(elapsedMs / 1_000).toFixed(0)} s, ${faultCount + 1} faults\n`);
    },
  });
  if (process.stderr.isTTY) process.stderr.write('\r\u001B[K');
  writeFileSync(join(directory, 'timeline.svg'), timelineSvg(result));
  writeFileSync(join(directory, 'report.txt'), `${formatReport(result)}\n`);
  return result;
}

function usage(message: string): number {
  console.error(message);
  return 2;
}
