import { describe, expect, it } from 'vitest';
import { simulate } from './simulate.js';

const SEEDS = 100;

describe('the simulation of jobs', () => {
  it(`O1–O4, T9, T10, F4, F5, F15: no rule is broken in ${SEEDS} seeds`, async () => {
    const failures: string[] = [];
    let beginCount = 0;
    let rerunCount = 0;
    let termCount = 0;
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const result = await simulate(seed);
      if (result.violation) failures.push(`pnpm sim:jobs --seed ${seed}   # ${result.violation.message}`);
      beginCount += result.beginCount;
      rerunCount += result.rerunCount;
      termCount += result.termCount;
    }
    expect(failures).toEqual([]);
    // Seeds in which nothing happens would prove nothing.
    expect(beginCount).toBeGreaterThan(20 * SEEDS);
    expect(rerunCount).toBeGreaterThan(SEEDS / 10);
    expect(termCount).toBeGreaterThan(3 * SEEDS);
  });

  it('a seed replays exactly', async () => {
    for (const seed of [1, 2, 3]) {
      const [first, second] = [await simulate(seed), await simulate(seed)];
      expect(first.trace.length).toBeGreaterThan(100);
      expect(second).toEqual(first);
    }
  });
});
