/**
 * `pnpm sim --seeds 20000` runs many seeds, `--seed 17` one of them with its whole trace, `--self-check` the planted faults.
 *
 * @module
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { runSeeds, type RangeResult } from './seed-range.js';
import { describeCatch, selfCheck } from './self-check.js';
import { simulate } from './simulate.js';

/** How much of a failing seed's trace is shown without being asked for. */
const TRACE_TAIL = 60;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    'self-check': { type: 'boolean', default: false },
  },
});

if (values['self-check']) process.exitCode = await checkItself();
else if (values.seed === undefined) process.exitCode = await runMany(wholeNumber('seeds', values.seeds), wholeNumber('from', values.from));
else process.exitCode = await replay(wholeNumber('seed', values.seed));

async function runMany(count: number, fromSeed: number): Promise<number> {
  const failures: RangeResult['failures'][number][] = [];
  const isTerminal = process.stderr.isTTY;
  let done = 0;
  let shown = 0;
  await runSeeds({ fromSeed, count }, availableParallelism(), (result) => {
    done += result.count;
    failures.push(...result.failures);
    const progress = `${done} of ${count} seeds, ${failures.length} violations`;
    if (isTerminal) process.stderr.write(`\r${progress}`);
    else if (done - shown >= count / 20) {
      shown = done;
      process.stderr.write(`${progress}\n`);
    }
  });
  if (isTerminal) process.stderr.write('\r\u001B[K');
  failures.sort((a, b) => a.seed - b.seed);
  const [first] = failures;
  if (first) {
    const { trace } = await simulate(first.seed);
    console.log(`the last ${TRACE_TAIL} lines of seed ${first.seed}:\n${trace.slice(-TRACE_TAIL).join('\n')}\n`);
    for (const { seed, message } of failures.slice(0, 20)) console.log(`pnpm sim --seed ${seed}   # ${message}`);
  }
  console.log(`${count} seeds, ${failures.length} violations`);
  return failures.length === 0 ? 0 : 1;
}

async function replay(seed: number): Promise<number> {
  const { trace, violation, virtualMs, maxTerm } = await simulate(seed);
  console.log(trace.join('\n'));
  console.log(`seed ${seed}: ${violation?.message ?? 'no violation'}; ${virtualMs.toFixed(0)} ms of virtual time, highest term ${maxTerm}`);
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
