import type { LeaseStoreCapabilities } from '@wb/core';
import type { CaseContext } from './case-context.js';
import type { ConformanceTarget } from './target.js';

/** One numbered case. */
export interface ConformanceCase {
  /** The rule that it checks, by the number in docs/protocol.md, and its own number: `L4.2`. */
  readonly id: string;
  /** The behaviour, as a sentence. */
  readonly title: string;
  /** Why the case does not apply to a target, or `null` when it does. Safety cases have none. Default: it applies. */
  readonly skip?: (target: ConformanceTarget, capabilities: LeaseStoreCapabilities) => string | null;
  readonly run: (context: CaseContext) => Promise<void>;
}

/** The rule of a case: `L4` of `L4.2`. */
export function ruleOf({ id }: Pick<ConformanceCase, 'id'>): string {
  return id.slice(0, id.indexOf('.'));
}

/** For cases with clients in other processes. */
export function needsProcesses(target: ConformanceTarget, capabilities: LeaseStoreCapabilities): string | null {
  if (!capabilities.crossProcess) return 'the store is of one process only (`capabilities.crossProcess` is false)';
  return target.module === undefined ? 'the target has no `module` for other processes to import' : null;
}
