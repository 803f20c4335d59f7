/** Times of many calls, in ms. */
export interface SampleSummary {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Nearest rank; with fewer than a hundred samples the 99th percentile is the longest. `null` without any. */
export function summarize(samplesMs: readonly number[]): SampleSummary | null {
  const sorted = samplesMs.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]!;
  if (sorted.length === 0) return null;
  return { count: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}
