import { describe, expect, it } from 'vitest';
import { simulate } from './simulate.js';

const SEEDS = 1_000;

describe('the simulation', () => {
  it(`T2, T4–T11, S1, S2, L1–L3, F4, F5, F14: no rule is broken in ${SEEDS} seeds`, async () => {
    const failures: string[] = [];
    let takeoverCount = 0;
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { violation, maxTerm } = await simulate(seed);
      if (violation) failures.push(`pnpm sim --seed ${seed}   # ${violation.message}`);
      takeoverCount += maxTerm - 1;
    }
    expect(failures).toEqual([]);
    // Seeds in which nothing happens would prove nothing.
    expect(takeoverCount).toBeGreaterThan(5 * SEEDS);
  });

  it('a seed replays exactly', async () => {
    for (const seed of [1, 2, 3, 17, 99]) {
      const [first, second] = [await simulate(seed), await simulate(seed)];
      expect(first.trace.length).toBeGreaterThan(100);
      expect(second).toEqual(first);
    }
  });

  it('seeds differ', async () => {
    expect((await simulate(1)).trace).not.toEqual((await simulate(2)).trace);
  });
});
