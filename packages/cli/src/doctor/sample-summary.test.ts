import { describe, expect, it } from 'vitest';
import { summarize } from './sample-summary.js';

describe('a summary of samples', () => {
  it('is none without samples', () => {
    expect(summarize([])).toBeNull();
  });

  it('is by the nearest rank, whatever their order', () => {
    const thousand = Array.from({ length: 1_000 }, (_none, at) => 1_000 - at);
    expect(summarize(thousand)).toEqual({ count: 1_000, p50Ms: 500, p99Ms: 990, maxMs: 1_000 });
    expect(summarize([3])).toEqual({ count: 1, p50Ms: 3, p99Ms: 3, maxMs: 3 });
    expect(summarize([5, 1])).toEqual({ count: 2, p50Ms: 1, p99Ms: 5, maxMs: 5 });
  });
});
