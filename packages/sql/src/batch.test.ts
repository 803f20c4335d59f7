import { describe, expect, it } from 'vitest';
import { partsOf } from './batch.js';

describe('partsOf', () => {
  it.each([
    [0, []],
    [1, [1]],
    [3, [3]],
    [4, [3, 1]],
    [7, [3, 3, 1]],
  ])('cuts %d items into parts of at most 3, none of them empty', (count, sizes) => {
    const items = Array.from({ length: count }, (_, at) => at);
    const parts = [...partsOf(items, 3)];
    expect(parts.map((part) => part.length)).toEqual(sizes);
    expect(parts.flat()).toEqual(items);
  });

  it('cuts a part only when it is asked for: a call that fails early has not cut the rest', () => {
    const parts = partsOf([1, 2, 3], 2);
    expect(parts.next()).toEqual({ value: [1, 2], done: false });
    expect(parts.next()).toEqual({ value: [3], done: false });
    expect(parts.next().done).toBe(true);
  });
});
