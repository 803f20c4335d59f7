import { distribution, type Distribution } from './distribution.js';
import type { Pair } from './interleaved.js';
import type { Run } from './run.js';

/** How one thing does beside another. */
export interface Comparison {
  /** How long a call takes, in ms. */
  readonly ours: Distribution;
  readonly theirs: Distribution;
  /** Calls a second that did what they were to do, of all that go on at once. */
  readonly ourRate: Distribution;
  readonly theirRate: Distribution;
  /** Of the time per call, for each pair of runs. */
  readonly ratio: Distribution;
  /** The processor time per call, in ms. */
  readonly ourCpu: Distribution;
  readonly theirCpu: Distribution;
  /** Of the processor time per call, for each pair. */
  readonly cpuRatio: Distribution;
}

/** Puts the pairs of {@link interleaved} together. */
export function compare(pairs: readonly Pair<Run>[]): Comparison {
  return {
    ours: distribution(pairs.flatMap(({ ours }) => ours.samplesMs)),
    theirs: distribution(pairs.flatMap(({ theirs }) => theirs.samplesMs)),
    ourRate: distribution(pairs.map(({ ours }) => 1_000 / perCall(ours, ours.elapsedMs))),
    theirRate: distribution(pairs.map(({ theirs }) => 1_000 / perCall(theirs, theirs.elapsedMs))),
    ratio: distribution(pairs.map(({ ours, theirs }) => perCall(ours, ours.elapsedMs) / perCall(theirs, theirs.elapsedMs))),
    ourCpu: distribution(pairs.map(({ ours }) => perCall(ours, ours.cpuMs))),
    theirCpu: distribution(pairs.map(({ theirs }) => perCall(theirs, theirs.cpuMs))),
    cpuRatio: distribution(pairs.map(({ ours, theirs }) => perCall(ours, ours.cpuMs) / perCall(theirs, theirs.cpuMs))),
  };
}

/** For each call that did what it was to do. */
function perCall({ samplesMs, doneCount = samplesMs.length }: Run, total: number): number {
  return total / Math.max(1, doneCount);
}
