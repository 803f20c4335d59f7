/**
 * `pnpm bench [name…] [--quick] [--target postgres,sqlite] [--runs N] [--soak-minutes N] [--out DIR]`: measures, prints tables, and writes a JSON file and a chart for each question. A goal that is not met is printed, and is no failure: no
 * test depends on how fast a machine is.
 *
 * @module
 */
import { parseArgs } from 'node:util';
import { benchmarkNames, isBenchmarkName } from './benchmarks.js';
import { databaseNames, isDatabaseName } from './databases/index.js';
import { runBenchmarks } from './run-benchmarks.js';

const usage = `usage: pnpm bench [${benchmarkNames.join('|')} …] [--quick] [--target ${databaseNames.join(',')}] [--runs N] [--soak-minutes N] [--out DIR]`;

process.exitCode = await main();

async function main(): Promise<number> {
  const parsed = parse();
  if (typeof parsed === 'string') return refuse(parsed);
  const { values, positionals } = parsed;
  const names = positionals.length === 0 ? benchmarkNames : positionals;
  const targets = values.target === undefined ? databaseNames : values.target.split(',');
  const strangerName = names.find((name) => !isBenchmarkName(name));
  if (strangerName !== undefined)
    return refuse(`there is no benchmark ${JSON.stringify(strangerName)}; there are ${benchmarkNames.join(', ')}`);
  const strangerTarget = targets.find((name) => !isDatabaseName(name));
  if (strangerTarget !== undefined)
    return refuse(`\`--target\` names ${JSON.stringify(strangerTarget)}; there are ${databaseNames.join(', ')}`);
  const [runs, soakMinutes] = [positive(values.runs), positive(values['soak-minutes'])];
  if (runs === undefined || !Number.isInteger(runs ?? 1))
    return refuse(`\`--runs\` is ${JSON.stringify(values.runs)}; it must be a whole number from 1 on`);
  if (soakMinutes === undefined)
    return refuse(`\`--soak-minutes\` is ${JSON.stringify(values['soak-minutes'])}; it must be a number above 0`);
  return await runBenchmarks({
    names: names.filter(isBenchmarkName),
    targets: targets.filter(isDatabaseName),
    isQuick: values.quick,
    runs,
    soakMinutes,
    folder: values.out,
  });
}

function parse(): ReturnType<typeof parseOptions> | string {
  try {
    return parseOptions();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

// eslint-disable-next-line typescript/explicit-function-return-type
function parseOptions() {
  return parseArgs({
    // `pnpm bench -- fence` hands the dashes on.
    args: process.argv.slice(2).filter((argument) => argument !== '--'),
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      target: { type: 'string' },
      runs: { type: 'string' },
      'soak-minutes': { type: 'string' },
      out: { type: 'string', default: 'bench-reports' },
    },
  });
}

/** `null` for nothing, `undefined` for what is no number above 0. */
function positive(text: string | undefined): number | null | undefined {
  if (text === undefined) return null;
  const value = Number(text);
  return Number.isFinite(value) && value > 0 ? value : undefined;
}

function refuse(message: string): number {
  console.error(`${message}\n${usage}`);
  return 2;
}
