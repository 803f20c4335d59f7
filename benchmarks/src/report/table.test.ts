import { describe, expect, test } from 'vitest';
import { distribution } from '../measure/distribution.js';
import { p99AtMost, verdict } from './table.js';

const judged = (values: readonly number[]): string => verdict(p99AtMost(10, distribution(values), '≤ 10 p99'));

describe('a goal for the 99th percentile', () => {
  test('is judged by it, of twenty values on', () => {
    expect(judged(Array.from({ length: 20 }, () => 10))).toBe('met');
    expect(judged([...Array.from({ length: 19 }, () => 1), 30])).toBe('NOT MET');
  });

  test('of fewer is met if all are within it, and not met if none is', () => {
    expect(judged([1, 9])).toBe('met');
    expect(judged([11, 12])).toBe('NOT MET');
    expect(judged([1, 12])).toBe('too few to say');
  });
});
