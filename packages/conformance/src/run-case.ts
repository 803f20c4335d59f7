import type { LeaseStoreCapabilities } from '@wb/core';
import { randomInt } from 'node:crypto';
import { CaseContext } from './case-context.js';
import { ConformanceFailure } from './conformance-failure.js';
import { ruleOf, type ConformanceCase } from './conformance-case.js';
import { nowMs, settledWithin } from './clock.js';
import type { ConformanceTarget } from './target.js';

/** How long a case may take, in ms, before it counts as failed: no call of a store may hang. */
export const CASE_LIMIT_MS = 60_000;

/** What came of one case. */
export interface CaseResult {
  readonly id: string;
  /** The rule that it checks. */
  readonly rule: string;
  readonly title: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  readonly durationMs: number;
  /** Why it was skipped. */
  readonly skipReason?: string;
  readonly failure?: {
    readonly message: string;
    /** What the contract asks for, and what the store did, where the failure is about one answer. */
    readonly expected?: string;
    readonly actual?: string;
    readonly stack?: string;
  };
}

/** A seed for a run that was given none. */
export function newSeed(): number {
  return randomInt(1, 2 ** 31);
}

/** Reads the capabilities from the store itself. */
export async function readCapabilities(target: ConformanceTarget): Promise<LeaseStoreCapabilities> {
  const store = await target.open('wbc_capabilities');
  try {
    return store.capabilities;
  } finally {
    await store.close();
    await target.drop?.('wbc_capabilities');
  }
}

/** Runs one case in a namespace of its own. Never rejects. */
export async function runCase(
  conformanceCase: ConformanceCase,
  target: ConformanceTarget,
  capabilities: LeaseStoreCapabilities,
  seed: number,
  limitMs: number = CASE_LIMIT_MS,
): Promise<CaseResult> {
  const { id, title } = conformanceCase;
  const head = { id, rule: ruleOf(conformanceCase), title };
  const skipReason = conformanceCase.skip?.(target, capabilities) ?? null;
  if (skipReason !== null) return { ...head, outcome: 'skipped', durationMs: 0, skipReason };
  const startedAtMs = nowMs();
  const namespace = `wbc_${id.toLowerCase().replace('.', '_')}_${randomInt(36 ** 5).toString(36)}`;
  const context = new CaseContext(target, namespace, seed);
  let failure: unknown = null;
  try {
    const running = conformanceCase.run(context);
    if ((await settledWithin(running, limitMs)) === 'pending') {
      throw new ConformanceFailure('the case', `done within ${limitMs} ms`, 'still waiting for the store');
    }
    await running;
  } catch (error) {
    failure = error;
  }
  try {
    await context.end();
  } catch (error) {
    failure ??= error;
  }
  const durationMs = nowMs() - startedAtMs;
  return failure === null
    ? { ...head, outcome: 'passed', durationMs }
    : { ...head, outcome: 'failed', durationMs, failure: describe(failure) };
}

function describe(error: unknown): NonNullable<CaseResult['failure']> {
  const message = error instanceof Error ? error.message : String(error);
  return {
    message,
    ...(error instanceof ConformanceFailure && { expected: error.expected, actual: error.actual }),
    ...(error instanceof Error && error.stack !== undefined && { stack: error.stack }),
  };
}
