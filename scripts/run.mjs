/**
 * Brings everything that a command needs, then runs it: `node scripts/run.mjs demo|test|check|faults|fence-test|bench`. Works in a fresh clone with nothing but
 * Node and npm, and uses Node alone for that reason.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const binaries = join(root, 'node_modules', '.bin');

/** Each step: what it is, and its command line. */
const build = (...filter) => ['build', 'turbo', 'run', 'build', '--output-logs=new-only', '--log-order=grouped', ...filter];
const staticChecks = [
  ['format', 'prettier', '--check', '--log-level=warn', '.'],
  build(),
  ['types of tests and simulation', 'tsc', '-b'],
  ['lint', 'oxlint', '--type-aware', '--deny-warnings'],
  ['dead code and dependencies', 'knip'],
  ['packages as published', 'turbo', 'run', 'check:package', '--output-logs=errors-only', '--log-order=grouped'],
  ['samples in the documentation', 'node', 'scripts/samples/check-samples.mjs'],
];
const commands = {
  demo: [build('--filter=@wb/example-demo'), ['demo', 'node', 'examples/demo/dist/main.js']],
  bench: [build('--filter=@wb/benchmarks'), ['bench', 'node', 'benchmarks/dist/main.js']],
  faults: [build('--filter=@wb/faults'), ['faults', 'node', 'integration-tests/faults/dist/main.js']],
  'fence-test': [build('--filter=@wb/faults'), ['fence test', 'node', 'integration-tests/faults/dist/fence/main.js']],
  test: [build(), ['test', 'vitest', 'run']],
  'check:static': staticChecks,
  check: [...staticChecks, ['unit tests and simulation', 'vitest', 'run', '--project', 'unit', '--project', 'simulation']],
};

const [name, ...more] = process.argv.slice(2);
const steps = commands[name];
if (steps === undefined) {
  console.error(`usage: node scripts/run.mjs ${Object.keys(commands).join('|')}`);
  process.exit(2);
}

const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const install = ['install', '--frozen-lockfile', '--loglevel=warn'];
run('install', ...(existsSync(join(binaries, 'pnpm')) ? ['pnpm', ...install] : ['npx', '--yes', packageManager, ...install]));
for (const [index, [title, ...command]] of steps.entries()) {
  run(title, ...command, ...(index === steps.length - 1 ? more : []));
}

function run(title, command, ...args) {
  if (name !== 'demo' || title !== 'demo') console.log(`— ${title}`);
  const { status, signal, error } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PATH: `${binaries}${delimiter}${process.env.PATH}`, TURBO_TELEMETRY_DISABLED: '1', CHECKPOINT_DISABLE: '1' },
  });
  if (error) throw error;
  if (status === 0) return;
  console.error(`${title} failed${signal ? ` (${signal})` : ''}: ${[command, ...args].join(' ')}`);
  process.exit(status ?? 1);
}
