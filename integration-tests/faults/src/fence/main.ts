/**
 * `pnpm fence-test`: freezes leaders while they write, before and in the middle of their transactions, on every database. `--without-fence` shows what the fence is for, and `--control 2` does the
 * same for two freezes more on each database.
 *
 * @module
 */
import { cleanUpWhenInterrupted, requiredTargets } from '@wb/test-servers';
import { parseArgs } from 'node:util';
import { targetNames } from '../targets/index.js';
import { testFence, type FenceTestResult } from './fence-test.js';

const MAX_FREEZES = 100_000;
const MAX_SEED = 4_294_967_295;

const { values } = parseArgs({
  options: {
    target: { type: 'string', multiple: true },
    freezes: { type: 'string', default: '100' },
    control: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    'without-fence': { type: 'boolean', default: false },
  },
});

cleanUpWhenInterrupted();
process.exitCode = await main();

async function main(): Promise<number> {
  const names = values.target ?? targetNames;
  const unknown = names.find((name) => !targetNames.includes(name));
  if (unknown !== undefined) return usage(`there is no target ${unknown}; there are ${targetNames.join(', ')}`);
  const freezeCount = Number(values.freezes);
  const controlCount = Number(values.control);
  const seed = Number(values.seed);
  const badNumber = [
    { option: 'freezes', value: freezeCount, least: 1, most: MAX_FREEZES },
    { option: 'control', value: controlCount, least: 0, most: MAX_FREEZES },
    { option: 'seed', value: seed, least: 0, most: MAX_SEED },
  ].find(({ value, least, most }) => !(Number.isInteger(value) && value >= least && value <= most));
  if (badNumber) {
    const { option, least, most } = badNumber;
    return usage(`\`--${option}\` (${values[option as 'seed']}) must be a whole number from ${least} to ${most}`);
  }
  const isFenced = !values['without-fence'];
  // Those that were asked for must be there.
  const required = values.target ?? requiredTargets();
  const results: FenceTestResult[] = [];
  let isMissing = false;
  // One database after the other: a busy machine would make every takeover look slow.
  for (const target of names) {
    const result = await testFence({ target, seed, freezeCount, isFenced, controlCount });
    if (typeof result === 'string') {
      isMissing ||= required.includes(target);
      console.log(`${target}: skipped: ${result}`);
    } else {
      results.push(result);
      console.log(lineOf(result));
    }
  }
  const sum = (of: (result: FenceTestResult) => number): number => results.reduce((total, result) => total + of(result), 0);
  const harmlessCount = sum(({ control }) => control.freezeCount - control.harmfulCount);
  if (controlCount > 0) {
    const count = sum(({ control }) => control.freezeCount);
    console.log(`without a fence: ${count} freezes, ${count - harmlessCount} with stale commits`);
  }
  const freezes = sum((result) => result.freezeCount);
  const stale = sum(({ staleCount }) => staleCount);
  console.log(`${freezes} freezes, ${stale} stale commits`);
  return stale === 0 && harmlessCount === 0 && freezes > 0 && !isMissing ? 0 : 1;
}

function lineOf({ title, freezeCount, points, staleCount, outcomes, takeoverMs }: FenceTestResult): string {
  const sorted = takeoverMs.toSorted((a, b) => a - b);
  const taken =
    sorted.length === 0
      ? 'nobody could take over'
      : `another had written after ${Math.round(sorted[sorted.length >> 1]!)} ms (median), ${Math.round(sorted.at(-1)!)} ms at most`;
  return (
    `${title}: ${freezeCount} freezes, ${points.inside} of them in the middle of the transaction, ${staleCount} stale commits; the frozen were told: ${outcomes.refused} refused, ` +
    `${outcomes.failed} ended by the server, ${outcomes.committed} committed; ${taken}`
  );
}

function usage(message: string): number {
  console.error(message);
  return 2;
}
