/**
 * `pnpm sim:jobs --seeds 2000` runs many seeds, `--seed 17` one of them with its whole trace, `--self-check` the planted faults.
 *
 * @module
 */
import { parseArgs } from 'node:util';
import { describeCatch, selfCheck } from './self-check.js';
import { simulate } from './simulate.js';

/** How much of a failing seed's trace is shown without being asked for. */
const TRACE_TAIL = 60;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '300' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    'self-check': { type: 'boolean', default: false },
  },
});

if (values['self-check']) process.exitCode = await checkItself();
else if (values.seed === undefined) process.exitCode = await runMany(wholeNumber('seeds', values.seeds), wholeNumber('from', values.from));
else process.exitCode = await replay(wholeNumber('seed', values.seed));

async function runMany(count: number, fromSeed: number): Promise<number> {
  let failureCount = 0;
  let beginCount = 0;
  for (let seed = fromSeed; seed < fromSeed + count; seed += 1) {
    const result = await simulate(seed);
    beginCount += result.beginCount;
    if (result.violation === null) continue;
    failureCount += 1;
    if (failureCount === 1) console.log(`the last ${TRACE_TAIL} lines of seed ${seed}:\n${result.trace.slice(-TRACE_TAIL).join('\n')}\n`);
    console.log(`pnpm sim:jobs --seed ${seed}   # ${result.violation.message}`);
  }
  console.log(`${count} seeds, ${beginCount} runs of jobs, ${failureCount} violations`);
  return failureCount === 0 ? 0 : 1;
}

async function replay(seed: number): Promise<number> {
  const { trace, violation, beginCount, termCount } = await simulate(seed);
  console.log(trace.join('\n'));
  console.log(`seed ${seed}: ${violation?.message ?? 'no violation'}; ${beginCount} runs of jobs, ${termCount} terms`);
  return violation ? 1 : 0;
}

async function checkItself(): Promise<number> {
  let count = 0;
  let missed = 0;
  for await (const result of selfCheck()) {
    console.log(describeCatch(result));
    count += 1;
    if (!result.caught) missed += 1;
  }
  console.log(`${count} planted faults, ${count - missed} caught`);
  return missed === 0 ? 0 : 1;
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isSafeInteger(value) && value >= 1) return value;
  console.error(`\`--${name}\` (${text}) must be a whole number, 1 or more`);
  process.exit(2);
}
