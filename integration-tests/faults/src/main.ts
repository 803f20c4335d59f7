/**
 * `pnpm faults --target postgres --minutes 30 --seed 7`: breaks things on purpose, and checks what everyone saw. `--all` runs every target, a few side by side; `--jobs` adds recurring jobs, on
 * every target. `--plant NAME` runs with a planted fault, which must be found; `--planted` runs with each of them in turn, and once without any.
 *
 * @module
 */
import { cleanUpWhenInterrupted, requiredTargets } from '@wb/test-servers';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { FaultRunResult } from './fault-run-result.js';
import { runFaults } from './fault-run.js';
import { plantedFaults } from './plants/planted-faults.js';
import { ProgressLines } from './progress-lines.js';
import { formatReport, isGood, jobSummary, summary } from './report.js';
import { BUSY_CROWD, crowdOf } from './crowd.js';
import { targetNames } from './targets/index.js';
import { timelineSvg } from './timeline-svg.js';

const { values } = parseArgs({
  options: {
    target: { type: 'string', multiple: true },
    all: { type: 'boolean', default: false },
    minutes: { type: 'string' },
    seed: { type: 'string', default: '1' },
    members: { type: 'string' },
    groups: { type: 'string' },
    jobs: { type: 'boolean', default: false },
    'ttl-ms': { type: 'string', default: '2000' },
    'side-by-side': { type: 'string', default: String(Math.max(1, Math.floor(availableParallelism() / 2))) },
    plant: { type: 'string' },
    planted: { type: 'boolean', default: false },
    out: { type: 'string', default: 'fault-reports' },
  },
});

/** With `--jobs`. */
const JOB_COUNT = 6;
/** How long each target is run, in minutes, unless it is said. With jobs: until those of all targets have had well over 10,000 occurrences; for a planted fault: until what it needs to show has come about, at the longest. */
const MINUTES = values.minutes ?? (values.jobs || values.planted || values.plant !== undefined ? '3' : '1');
/** What faults are planted in, unless targets are named: one of each store that talks to a server. */
const PLANTED_TARGETS = ['postgres', 'mysql', 'mariadb'];

const RANGES = {
  minutes: [0.01, 10_000],
  seed: [0, 4_294_967_295],
  members: [2, 20],
  groups: [1, 200],
  'ttl-ms': [500, 60_000],
  'side-by-side': [1, 20],
} as const;

/** What came of one target: a text says why it cannot be had here. */
type Outcome = FaultRunResult | string | Error;

cleanUpWhenInterrupted();
process.exitCode = await main();

async function main(): Promise<number> {
  const names = values.all || (values.jobs && values.target === undefined) ? targetNames : (values.target ?? ['sqlite']);
  const unknown = names.find((name) => !targetNames.includes(name));
  if (unknown !== undefined) return usage(`there is no target ${unknown}; there are ${targetNames.join(', ')}`);
  if (values.plant !== undefined && !(values.plant in plantedFaults)) {
    return usage(`there is no planted fault ${values.plant}; there are ${Object.keys(plantedFaults).join(', ')}`);
  }
  const bad = Object.entries(RANGES).find(([name, [least, most]]) => {
    const text = values[name as keyof typeof RANGES];
    return text !== undefined && !(Number(text) >= least && Number(text) <= most);
  });
  if (bad) return usage(`\`--${bad[0]}\` (${values[bad[0] as keyof typeof RANGES]}) must be a number from ${bad[1].join(' to ')}`);
  if (values.planted) return await findPlanted(values.target ?? (values.all ? targetNames : PLANTED_TARGETS));
  const progress = new ProgressLines(names);
  const outcomes = await sideBySide(names, Number(values['side-by-side']), (target) =>
    run(target, values.plant, values.plant !== undefined, progress),
  );
  progress.end();
  const done = outcomes.flatMap((outcome) => (typeof outcome === 'string' || outcome instanceof Error ? [] : [outcome]));
  for (const [at, outcome] of outcomes.entries()) console.log(`${textOf(names[at]!, outcome)}\n`);
  console.log(summary(done));
  if (values.jobs) console.log(jobSummary(done));
  // Only of all that there are some may be missing.
  const required = values.all || values.target === undefined ? requiredTargets() : names;
  const isMissing = outcomes.some(
    (outcome, at) => outcome instanceof Error || (typeof outcome === 'string' && required.includes(names[at]!)),
  );
  return done.length > 0 && !isMissing && done.every(isGood) ? 0 : 1;
}

function textOf(target: string, outcome: Outcome): string {
  if (typeof outcome === 'string') return `${target}: skipped: ${outcome}`;
  return outcome instanceof Error ? `${target}: FAILED: ${outcome.stack}` : formatReport(outcome);
}

/** As many at once as the machine has room for: one that is too busy fails by itself. Results are in the order of the names. */
async function sideBySide<T>(names: readonly string[], count: number, make: (name: string) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  const left = names.entries();
  const lane = async (): Promise<void> => {
    for (const [at, name] of left) results[at] = await make(name);
  };
  await Promise.all(Array.from({ length: Math.floor(count) }, lane));
  return results;
}

/** Runs with each planted fault in turn, until it is found; and, as a control, for as long without one, when nothing must be found. `--plant` names one of them. */
async function findPlanted(targets: readonly string[]): Promise<number> {
  const all = values.plant === undefined ? Object.keys(plantedFaults) : [values.plant];
  let count = 0;
  let foundCount = 0;
  let isControlGood = true;
  for (const target of targets) {
    for (const plant of [undefined, ...all]) {
      const progress = new ProgressLines([target]);
      const outcome = await run(target, plant, true, progress);
      progress.end();
      if (typeof outcome === 'string') {
        console.log(`${target}: skipped: ${outcome}`);
        break;
      }
      const isControl = plant === undefined;
      const rules = isControl ? null : plantedFaults[plant]!.rules;
      const violation = outcome instanceof Error ? undefined : outcome.violations.find(({ rule }) => rules?.includes(rule) ?? true);
      const what = violationText(outcome, violation);
      if (isControl) {
        isControlGood &&= !(outcome instanceof Error) && isGood(outcome);
        console.log(
          `${target}: no planted fault: ${outcome instanceof Error || outcome.failure !== null || violation ? what : `nothing found, ${summary([outcome])}`}`,
        );
        continue;
      }
      count += 1;
      if (violation) foundCount += 1;
      console.log(`${target}: ${plant} (${plantedFaults[plant]!.title}): ${what}`);
    }
  }
  console.log(`${count} planted faults, ${foundCount} found`);
  return count > 0 && foundCount === count && isControlGood ? 0 : 1;
}

function violationText(outcome: FaultRunResult | Error, violation: FaultRunResult['violations'][number] | undefined): string {
  if (outcome instanceof Error) return `FAILED: ${outcome.stack}`;
  if (violation)
    return `found after ${((violation.atMs - outcome.startedAtMs) / 1_000).toFixed(1)} s: ${violation.rule}: ${violation.message}`;
  return outcome.failure === null ? `NOT FOUND, ${summary([outcome])}` : `FAILED: ${outcome.failure}`;
}

async function run(target: string, plant: string | undefined, stopAtViolation: boolean, progress: ProgressLines): Promise<Outcome> {
  const seed = Number(values.seed);
  const directory = resolve(values.out, `${target}-${seed}${plant === undefined ? '' : `-${plant}`}`);
  // Histories are appended to: those of an earlier run must be gone.
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const drawn = stopAtViolation ? BUSY_CROWD : crowdOf(seed, target);
  try {
    const result = await runFaults({
      target,
      seed,
      durationMs: Number(MINUTES) * 60_000,
      memberCount: Number(values.members ?? drawn.memberCount),
      groupCount: Number(values.groups ?? drawn.groupCount),
      jobCount: values.jobs || (plant !== undefined && plantedFaults[plant]!.needsJobs === true) ? JOB_COUNT : 0,
      ttlMs: Number(values['ttl-ms']),
      directory: join(directory, 'histories'),
      ...(plant !== undefined && { plant }),
      stopAtViolation,
      onProgress: (now) => progress.show(target, now, Number(MINUTES) * 60_000),
    });
    if (typeof result !== 'string') {
      writeFileSync(join(directory, 'timeline.svg'), timelineSvg(result));
      writeFileSync(join(directory, 'report.txt'), `${formatReport(result)}\n`);
    }
    return result;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function usage(message: string): number {
  console.error(message);
  return 2;
}
