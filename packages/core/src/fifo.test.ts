import { describe, expect, it } from 'vitest';
import { Fifo } from './fifo.js';
import { Random } from './testing/random.js';

describe('Fifo', () => {
  it('gives out what it took in, in order, whatever the order of the calls', () => {
    const random = new Random(7);
    const fifo = new Fifo<number>();
    const model: number[] = [];
    const taken: number[] = [];
    const expected: number[] = [];
    for (let i = 0; i < 20_000; i += 1) {
      if (random.next() < 0.5 + 0.3 * Math.sin(i / 1_000)) {
        fifo.push(i);
        model.push(i);
      } else if (model.length > 0) {
        taken.push(fifo.take());
        expected.push(model.shift()!);
      }
      expect(fifo.size).toBe(model.length);
    }
    expect(taken).toEqual(expected);
    expect(taken.length).toBeGreaterThan(5_000);
  });

  it('gives out undefined like any other value', () => {
    const fifo = new Fifo<undefined>();
    fifo.push(undefined);
    expect(fifo.size).toBe(1);
    expect(fifo.take()).toBeUndefined();
    expect(fifo.size).toBe(0);
  });

  it('holds nothing when it was cleared', () => {
    const fifo = new Fifo<string>();
    fifo.push('a');
    fifo.clear();
    expect(fifo.size).toBe(0);
    fifo.push('b');
    expect(fifo.take()).toBe('b');
  });
});
