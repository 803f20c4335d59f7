import { conformanceCases } from './cases/index.js';
import { newSeed, readCapabilities, runCase } from './run-case.js';
import type { ConformanceTarget } from './target.js';

/** What is needed of a test runner: `describe` and `it` of vitest, `node:test`, mocha or jest. */
export interface TestRunner {
  readonly describe: (name: string, body: () => void) => unknown;
  readonly it: (name: string, body: (context?: unknown) => Promise<void>) => unknown;
}

/** Options of {@link defineLeaseStoreConformance}. */
export interface DefineOptions {
  /** Repeats the random choices of an earlier run. Default: a new one, which each failure names. */
  readonly seed?: number;
}

/**
 * Defines the suite as tests of a runner: a `describe` with an `it` for each case. Cases that do not apply to the store are marked as skipped where the runner can do that from inside a
 * test (vitest, `node:test`, mocha), and pass with nothing done elsewhere. Give the runner's tests more time than the 60 s of a case, such as 120 s.
 */
export function defineLeaseStoreConformance({ describe, it }: TestRunner, target: ConformanceTarget, options: DefineOptions = {}): void {
  const seed = options.seed ?? newSeed();
  describe(`${target.name} keeps the LeaseStore contract`, () => {
    let capabilities: ReturnType<typeof readCapabilities> | null = null;
    for (const each of conformanceCases) {
      it(`${each.id}: ${each.title}`, async function (this: unknown, context?: unknown): Promise<void> {
        capabilities ??= readCapabilities(target);
        const result = await runCase(each, target, await capabilities, seed);
        if (result.outcome === 'skipped') skip(context ?? this, result.skipReason!);
        if (result.failure === undefined) return;
        const error = new Error(`${each.id} (seed ${seed}): ${result.failure.message}`);
        if (result.failure.stack !== undefined) error.stack = result.failure.stack;
        throw error;
      });
    }
  });
}

/** vitest and `node:test` give a context with `skip`; mocha has it on `this`. */
function skip(context: unknown, reason: string): void {
  if (typeof context !== 'object' || context === null) return;
  const method: unknown = Reflect.get(context, 'skip');
  if (typeof method === 'function') Reflect.apply(method, context, [reason]);
}
