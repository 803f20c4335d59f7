import { conformanceCases } from './cases/index.js';
import { nowMs } from './clock.js';
import { ruleOf } from './conformance-case.js';
import type { ConformanceReport } from './report.js';
import { CASE_LIMIT_MS, newSeed, readCapabilities, runCase, type CaseResult } from './run-case.js';
import type { ConformanceTarget } from './target.js';

/** Options of {@link runLeaseStoreConformance}. */
export interface ConformanceOptions {
  /** Repeats the random choices of an earlier run: a whole number, 1 to 2^31 − 1. Default: a new one. */
  readonly seed?: number;
  /** Runs only these: a rule (`L4`) or a case (`L4.2`) each. Default: all. */
  readonly only?: readonly string[];
  /** How long a case may take before it counts as failed, in ms. Default: 60,000. Range: above 0. */
  readonly caseLimitMs?: number;
  /** Called after each case. */
  readonly onCase?: (result: CaseResult, done: number, total: number) => void;
}

/**
 * Runs the suite against a store, one case after the other, each in a namespace of its own. Resolves with the report also when cases fail.
 *
 * @throws `RangeError` when `only` names no case, or the seed is out of range; whatever `target.open` throws when the store's capabilities are read.
 */
export async function runLeaseStoreConformance(target: ConformanceTarget, options: ConformanceOptions = {}): Promise<ConformanceReport> {
  const { seed = newSeed(), only, caseLimitMs = CASE_LIMIT_MS, onCase } = options;
  if (!Number.isInteger(seed) || seed < 1 || seed >= 2 ** 31)
    throw new RangeError(`\`seed\` (${seed}) must be a whole number from 1 to 2147483647`);
  const chosen = conformanceCases.filter((each) => only === undefined || only.includes(each.id) || only.includes(ruleOf(each)));
  const unknown = only?.filter((name) => !conformanceCases.some((each) => each.id === name || ruleOf(each) === name)) ?? [];
  if (unknown.length > 0) throw new RangeError(`\`only\` names no case: ${unknown.join(', ')}`);
  const startedAtMs = nowMs();
  const capabilities = await readCapabilities(target);
  const cases: CaseResult[] = [];
  for (const each of chosen) {
    const result = await runCase(each, target, capabilities, seed, caseLimitMs);
    cases.push(result);
    onCase?.(result, cases.length, chosen.length);
  }
  const count = (outcome: CaseResult['outcome']): number => cases.filter((result) => result.outcome === outcome).length;
  return {
    target: target.name,
    capabilities,
    seed,
    durationMs: nowMs() - startedAtMs,
    passedCount: count('passed'),
    failedCount: count('failed'),
    skippedCount: count('skipped'),
    cases,
  };
}
