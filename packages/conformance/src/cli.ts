/**
 * `wb-conformance ./my-target.js`: runs the suite against the target that a module exports.
 *
 * @module
 */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { formatReport } from './report.js';
import { runLeaseStoreConformance } from './run.js';
import type { ConformanceTarget } from './target.js';

const USAGE = `usage: wb-conformance <module> [--case <rule or case>]… [--seed <number>] [--json]

  <module>   a JavaScript module whose default export is a ConformanceTarget
  --case     runs only this rule (L4) or case (L4.2); may be repeated
  --seed     repeats the random choices of an earlier run
  --json     prints the report as JSON

exit code: 0 when no case failed, 1 when one did, 2 when the suite could not be run`;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        case: { type: 'string', multiple: true },
        seed: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      print(USAGE);
      return 0;
    }
    const [path, ...rest] = positionals;
    if (path === undefined || rest.length > 0) throw new TypeError('name one module');
    const report = await runLeaseStoreConformance(await load(path), {
      ...(values.seed !== undefined && { seed: Number(values.seed) }),
      ...(values.case && { only: values.case }),
      onCase: ({ id, outcome }, done, total) => {
        if (!values.json && process.stderr.isTTY) process.stderr.write(`\r\u001B[K${done} of ${total}  ${id} ${outcome}`);
      },
    });
    if (process.stderr.isTTY && !values.json) process.stderr.write('\r\u001B[K');
    print(values.json ? JSON.stringify(report, null, 2) : formatReport(report));
    return report.failedCount === 0 ? 0 : 1;
  } catch (error) {
    process.stderr.write(`wb-conformance: ${error instanceof Error ? error.message : String(error)}\n\n${USAGE}\n`);
    return 2;
  }
}

async function load(path: string): Promise<ConformanceTarget> {
  const module = (await import(pathToFileURL(resolve(path)).href)) as { readonly default?: Partial<ConformanceTarget> };
  const target = module.default;
  if (typeof target?.name !== 'string' || typeof target.open !== 'function') {
    throw new TypeError(`${path} has no default export with \`name\` and \`open\``);
  }
  return target as ConformanceTarget;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
