import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DeadlineHeap } from './deadline-heap.js';

describe('the heap of deadlines', () => {
  it('is empty at first', () => {
    const heap = new DeadlineHeap();
    expect(heap.nextMs).toBe(Number.POSITIVE_INFINITY);
    expect(heap.takeDue(1e9)).toEqual([]);
  });

  it('gives out what is due, the earliest first, and keeps the rest', () => {
    const heap = new DeadlineHeap();
    for (const [key, atMs] of [
      ['c', 30],
      ['a', 10],
      ['d', 40],
      ['b', 20],
    ] as const)
      heap.push(key, atMs);
    expect(heap.nextMs).toBe(10);
    expect(heap.takeDue(9.99)).toEqual([]);
    expect(heap.takeDue(30)).toEqual(['a', 'b', 'c']);
    expect(heap.nextMs).toBe(40);
    expect(heap.takeDue(30)).toEqual([]);
    expect(heap.takeDue(40)).toEqual(['d']);
    expect(heap.nextMs).toBe(Number.POSITIVE_INFINITY);
  });

  it('a deadline that moved later costs nothing: it comes up at the old time, once', () => {
    const heap = new DeadlineHeap();
    heap.push('a', 10);
    for (let atMs = 11; atMs < 10_000; atMs += 1) heap.push('a', atMs);
    expect(heap.nextMs).toBe(10);
    expect(heap.takeDue(1e9)).toEqual(['a']);
    expect(heap.nextMs).toBe(Number.POSITIVE_INFINITY);
  });

  it('a deadline that moved sooner comes up at the new time, once', () => {
    const heap = new DeadlineHeap();
    heap.push('a', 50);
    heap.push('a', 20);
    heap.push('b', 30);
    expect(heap.takeDue(20)).toEqual(['a']);
    expect(heap.takeDue(1_000)).toEqual(['b']);
  });

  it('a key that was taken can be pushed again, also to where its old entry still lies', () => {
    const heap = new DeadlineHeap();
    heap.push('a', 50);
    heap.push('a', 20);
    expect(heap.takeDue(20)).toEqual(['a']);
    heap.push('a', 60);
    expect(heap.takeDue(59)).toEqual([]);
    expect(heap.takeDue(60)).toEqual(['a']);
    expect(heap.takeDue(1e9)).toEqual([]);
  });

  it('a deadline in the past, at minus infinity, is due at once', () => {
    const heap = new DeadlineHeap();
    heap.push('b', 5);
    heap.push('a', Number.NEGATIVE_INFINITY);
    expect(heap.takeDue(0)).toEqual(['a']);
  });

  it('a key that was removed does not come up', () => {
    const heap = new DeadlineHeap();
    heap.push('a', 10);
    heap.push('b', 20);
    heap.remove('a');
    expect(heap.takeDue(1_000)).toEqual(['b']);
    heap.push('a', 30);
    expect(heap.takeDue(1_000)).toEqual(['a']);
  });

  it('does not grow with deadlines that were overtaken, or removed, long before they come up', () => {
    const heap = new DeadlineHeap();
    heap.push('steady', 1e9);
    for (let round = 0; round < 20_000; round += 1) {
      heap.push('a', 1e9 + round);
      heap.push('a', round);
      expect(heap.takeDue(round)).toEqual(['a']);
      heap.push(`once ${round}`, 1e9);
      heap.remove(`once ${round}`);
    }
    expect(heap.size).toBeLessThan(200);
    expect(heap.takeDue(1e9)).toEqual(['steady']);
  });

  it('sorts like sort', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 200, size: 'max' }), (deadlines) => {
        const heap = new DeadlineHeap();
        deadlines.forEach((atMs, index) => heap.push(String(index), atMs));
        const taken = heap.takeDue(50).map((key) => deadlines[Number(key)]!);
        expect(taken).toEqual(deadlines.toSorted((a, b) => a - b));
      }),
    );
  });

  it('agrees with a plain table: a key comes up no later than its earliest deadline since it last did, and never without one', () => {
    const deed = fc.oneof(
      fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd', 'e'), atMs: fc.integer({ min: 0, max: 100 }) }),
      fc.record({ nowMs: fc.integer({ min: 0, max: 100 }) }),
    );
    fc.assert(
      fc.property(fc.array(deed, { maxLength: 100, size: 'max' }), (deeds) => {
        const heap = new DeadlineHeap();
        const earliest = new Map<string, number>();
        for (const next of deeds) {
          const due = 'nowMs' in next ? [...earliest].filter(([, atMs]) => atMs <= next.nowMs).map(([key]) => key) : [];
          let taken: string[] = [];
          if ('nowMs' in next) taken = heap.takeDue(next.nowMs);
          else {
            heap.push(next.key, next.atMs);
            earliest.set(next.key, Math.min(next.atMs, earliest.get(next.key) ?? Number.POSITIVE_INFINITY));
          }
          expect(taken.toSorted()).toEqual(due.toSorted());
          for (const key of due) earliest.delete(key);
          expect(heap.nextMs).toBeLessThanOrEqual(Math.min(Number.POSITIVE_INFINITY, ...earliest.values()));
        }
      }),
      { numRuns: 300 },
    );
  });
});
