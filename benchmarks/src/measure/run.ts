import { cpuMs, nowMs } from './clock.js';

/** Many calls of one thing. */
export interface Run {
  /** How long each call took, in ms. */
  readonly samplesMs: readonly number[];
  /** How many calls did what they were to do: all that have not returned `false`. Default: all. */
  readonly doneCount?: number;
  /** From the first call to the end of the last, in ms. */
  readonly elapsedMs: number;
  /** The processor time of this process meanwhile, in ms. */
  readonly cpuMs: number;
}

/** Calls `work` `count` times, always `concurrency` of them at once. */
export async function run(count: number, concurrency: number, work: () => Promise<unknown>): Promise<Run> {
  const samplesMs: number[] = [];
  let doneCount = 0;
  let left = count;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const startedAtMs = nowMs();
      if ((await work()) !== false) doneCount += 1;
      samplesMs.push(nowMs() - startedAtMs);
    }
  };
  const cpuBeforeMs = cpuMs();
  const startedAtMs = nowMs();
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, worker));
  return { samplesMs, doneCount, elapsedMs: nowMs() - startedAtMs, cpuMs: cpuMs() - cpuBeforeMs };
}
