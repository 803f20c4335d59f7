import type { LeadOptions } from './coordinator-types.js';
import { WbOptionError } from './errors.js';
import type { GroupPolicy } from './group-machine.js';
import { assertDuration, type Timings } from './timings.js';

/** {@link LeadOptions} with nothing left open. */
export interface ResolvedLeadOptions extends GroupPolicy {
  readonly onOverrun: 'report' | 'exit';
}

/**
 * Fills in the defaults and checks the whole.
 * @throws {@link WbOptionError} `INVALID_OPTION`
 */
export function resolveLeadOptions(options: LeadOptions, timings: Timings): ResolvedLeadOptions {
  const minMs = options.backOff?.minMs ?? 100;
  assertDuration('backOff.minMs', minMs, 0);
  const maxMs = options.backOff?.maxMs ?? Math.max(30_000, minMs);
  assertDuration('backOff.maxMs', maxMs, minMs);
  const factor = options.backOff?.factor ?? 2;
  if (!Number.isFinite(factor) || factor < 1) {
    throw new WbOptionError('INVALID_OPTION', 'backOff.factor', `\`backOff.factor\` (${factor}) must be a finite number of at least 1`);
  }
  const settleDeadlineMs = options.settleDeadlineMs ?? 10_000;
  assertDuration('settleDeadlineMs', settleDeadlineMs, 0);
  if (options.watchdogMs !== undefined) assertDuration('watchdogMs', options.watchdogMs, 1);
  return {
    onEnd: oneOf('onEnd', options.onEnd ?? 'stop', ['stop', 'contend']),
    onError: oneOf('onError', options.onError ?? 'contend', ['contend', 'rethrow']),
    onOverrun: oneOf('onOverrun', options.onOverrun ?? 'report', ['report', 'exit']),
    backOff: { minMs, maxMs, factor },
    settleDeadlineMs,
    watchdogMs: options.watchdogMs ?? null,
    resignPauseMs: 2 * timings.heartbeatMs,
    busyPauseMs: Math.min(timings.heartbeatMs, 250),
  };
}

/** Resolves options, and gives out the same object again for the same options: ten thousand groups of one process usually share them. */
export function leadOptionsResolver(timings: Timings): (options: LeadOptions) => ResolvedLeadOptions {
  let last: ResolvedLeadOptions | null = null;
  return (options) => {
    const resolved = resolveLeadOptions(options, timings);
    if (last === null || !isSame(last, resolved)) last = resolved;
    return last;
  };
}

function isSame({ backOff: before, ...a }: ResolvedLeadOptions, { backOff: after, ...b }: ResolvedLeadOptions): boolean {
  const isEqual = <T extends object>(x: T, y: T): boolean => (Object.keys(x) as (keyof T)[]).every((key) => x[key] === y[key]);
  return isEqual(a, b) && isEqual(before, after);
}

function oneOf<T extends string>(field: string, value: T, allowed: readonly T[]): T {
  if (allowed.includes(value)) return value;
  const list = allowed.map((name) => `'${name}'`).join(' or ');
  throw new WbOptionError('INVALID_OPTION', field, `\`${field}\` (${JSON.stringify(value)}) must be ${list}`);
}
