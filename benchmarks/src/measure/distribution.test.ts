import { describe, expect, test } from 'vitest';
import { distribution, quantile } from './distribution.js';

describe('distribution', () => {
  test('does not depend on the order of the values', () => {
    expect(distribution([5, 1, 4, 2, 3])).toEqual({ count: 5, min: 1, p10: 1.4, median: 3, p90: 4.6, p99: 4.96, max: 5 });
  });

  test('of nothing is refused', () => {
    expect(() => distribution([])).toThrow(RangeError);
  });

  test('between two values in proportion', () => {
    expect(quantile([10, 20], 0.25)).toBe(12.5);
  });
});
