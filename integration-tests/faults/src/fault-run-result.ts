import type { InjectedFault } from './injected-fault.js';
import type { JobVerdict } from './job-check.js';
import type { Verdict } from './verdict.js';

/** Options of {@link runFaults}. */
export interface FaultRunOptions {
  readonly target: string;
  readonly seed: number;
  /** How long faults are injected, in ms. */
  readonly durationMs: number;
  readonly memberCount: number;
  readonly groupCount: number;
  /** Groups with a job each, beside the others. The clocks of members stay right then: a job's times are theirs. */
  readonly jobCount: number;
  readonly ttlMs: number;
  /** Where the histories go. */
  readonly directory: string;
  readonly plant?: string;
  /** Ends the run as soon as the histories show a violation. */
  readonly stopAtViolation?: boolean;
  readonly onProgress?: (progress: Progress) => void;
}

/** How a run goes. */
export interface Progress {
  readonly faultCount: number;
  readonly takeoverCount: number;
  /** As of the last look at the histories. */
  readonly violationCount: number;
  readonly elapsedMs: number;
  /** What was injected last. */
  readonly last: string;
}

/** What a run came to. */
export interface FaultRunResult extends Verdict {
  readonly target: string;
  readonly title: string;
  readonly seed: number;
  readonly members: readonly string[];
  readonly groups: readonly string[];
  readonly faults: readonly InjectedFault[];
  /** Kinds that the target has, and that had no turn. */
  readonly missedKinds: readonly string[];
  readonly stallCount: number;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly takeoverCount: number;
  /** What T9 allows, in ms. */
  readonly limitMs: number;
  /** How long it took until every group was led, each time that the faults had stopped, in ms. */
  readonly recoveryMs: readonly number[];
  /** `null`: there were no jobs. */
  readonly jobs: JobVerdict | null;
  /** What ended the run before its time, and is nobody's violation: a server that did not come back. */
  readonly failure: string | null;
}
