import { expect, test } from 'vitest';
import { compare } from './comparison.js';
import { run } from './run.js';

test('what was refused costs time and gets nothing done', async () => {
  let turn = 0;
  const { samplesMs, doneCount } = await run(8, 2, () => Promise.resolve((turn += 1) % 4 === 0));
  expect(samplesMs).toHaveLength(8);
  expect(doneCount).toBe(2);
  const ours = { samplesMs, doneCount: 2, elapsedMs: 80, cpuMs: 8 };
  const theirs = { samplesMs, elapsedMs: 80, cpuMs: 8 };
  const { ratio, ourRate, theirRate } = compare([{ ours, theirs }]);
  expect([ratio.median, ourRate.median, theirRate.median]).toEqual([4, 25, 100]);
});
