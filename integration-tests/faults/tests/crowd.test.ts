import { describe, expect, it } from 'vitest';
import { crowdOf } from '../src/crowd.js';

describe('the crowd of a run', () => {
  it('is the same for the same seed and target, and covers all sizes', () => {
    const crowds = Array.from({ length: 500 }, (_, seed) => crowdOf(seed, 'postgres'));
    expect(crowdOf(7, 'postgres')).toEqual(crowds[7]);
    expect(new Set(crowds.map(({ memberCount }) => memberCount))).toEqual(new Set([3, 4, 5, 6, 7]));
    const groups = crowds.map(({ groupCount }) => groupCount);
    expect(Math.min(...groups)).toBe(1);
    expect(Math.max(...groups)).toBe(50);
    expect(crowdOf(7, 'mysql')).not.toEqual(crowdOf(7, 'postgres'));
  });
});
