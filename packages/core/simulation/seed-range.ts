import { Worker } from 'node:worker_threads';

/** What a worker is to do, and what it tells: see `worker.ts`. */
export interface SeedRange {
  readonly fromSeed: number;
  readonly count: number;
}

/** A worker's answer to a {@link SeedRange}: the seeds in which a rule was broken. */
export interface RangeResult {
  readonly count: number;
  readonly failures: readonly { readonly seed: number; readonly message: string }[];
}

/** How many seeds a worker takes at a time. */
const CHUNK = 50;

/** Runs seeds on `workerCount` threads; calls `onResult` after each chunk. Rejects if a worker dies. */
export async function runSeeds(
  { fromSeed, count }: SeedRange,
  workerCount: number,
  onResult: (result: RangeResult) => void,
): Promise<void> {
  let next = fromSeed;
  const end = fromSeed + count;
  await Promise.all(
    Array.from(
      { length: workerCount },
      () =>
        new Promise<void>((resolve, reject) => {
          const worker = new Worker(new URL('./worker.js', import.meta.url));
          const give = (): void => {
            if (next >= end) {
              resolve(worker.terminate().then(() => undefined));
              return;
            }
            const range: SeedRange = { fromSeed: next, count: Math.min(CHUNK, end - next) };
            next += range.count;
            worker.postMessage(range);
          };
          worker.on('message', (result: RangeResult) => {
            onResult(result);
            give();
          });
          worker.on('error', reject);
          give();
        }),
    ),
  );
}
