import { parentPort } from 'node:worker_threads';
import type { RangeResult, SeedRange } from './seed-range.js';
import { simulate } from './simulate.js';

parentPort!.on('message', async ({ fromSeed, count }: SeedRange) => {
  const failures: { seed: number; message: string }[] = [];
  for (let seed = fromSeed; seed < fromSeed + count; seed += 1) {
    const { violation } = await simulate(seed);
    if (violation) failures.push({ seed, message: violation.message });
  }
  parentPort!.postMessage({ count, failures } satisfies RangeResult);
});
