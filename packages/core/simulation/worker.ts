import { parentPort } from 'node:worker_threads';
import type { RangeResult, SeedRange } from './seed-range.js';
import { simulate } from './simulate.js';

const port = parentPort!;

port.on('message', (range: SeedRange) => void answer(range));

async function answer({ fromSeed, count }: SeedRange): Promise<void> {
  const failures: { seed: number; message: string }[] = [];
  for (let seed = fromSeed; seed < fromSeed + count; seed += 1) {
    const { violation } = await simulate(seed);
    if (violation) failures.push({ seed, message: violation.message });
  }
  port.postMessage({ count, failures } satisfies RangeResult);
}
