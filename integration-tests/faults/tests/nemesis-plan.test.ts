import { describe, expect, it } from 'vitest';
import { NemesisPlan, type Round } from '../src/nemesis-plan.js';

const FAULTS = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((kind, at) => ({ kind, lastsTtls: [at / 10, at / 5] as const }));
type Fault = (typeof FAULTS)[number];

function rounds(seed: number, count: number): Round<Fault>[] {
  const plan = new NemesisPlan(seed, FAULTS, 4, 1_000);
  return Array.from({ length: count }, () => plan.next());
}

describe('the plan of the nemesis', () => {
  it('is the same for the same seed, and another one for another', () => {
    expect(rounds(7, 10)).toEqual(rounds(7, 10));
    expect(rounds(7, 10)).not.toEqual(rounds(8, 10));
  });

  it('lets every kind come once before one comes again', () => {
    const kinds = rounds(3, 20).flatMap(({ faults }) => faults.map(({ fault }) => fault.kind));
    for (let at = 0; at + FAULTS.length <= kinds.length; at += FAULTS.length) {
      expect(new Set(kinds.slice(at, at + FAULTS.length)).size).toBe(FAULTS.length);
    }
  });

  it('aims at leaders more often than not', () => {
    const aims = rounds(9, 40).flatMap(({ faults }) => faults.map(({ aimsAtLeader }) => aimsAtLeader));
    const share = aims.filter(Boolean).length / aims.length;
    expect(share).toBeGreaterThan(0.5);
    expect(share).toBeLessThan(0.7);
  });

  it('has single faults and storms in turn; the faults of a storm come in order; every one lasts as long as its kind may', () => {
    const all = rounds(5, 6);
    expect(all.map(({ mode }) => mode)).toEqual(['single', 'storm', 'single', 'storm', 'single', 'storm']);
    for (const { faults } of all) {
      expect(faults.length).toBeGreaterThan(1);
      expect(faults.map(({ atMs }) => atMs)).toEqual(faults.map(({ atMs }) => atMs).toSorted((a, b) => a - b));
      for (const { fault, forMs, member, dice } of faults) {
        expect(forMs).toBeGreaterThanOrEqual(fault.lastsTtls[0] * 1_000);
        expect(forMs).toBeLessThanOrEqual(fault.lastsTtls[1] * 1_000);
        expect([0, 1, 2, 3]).toContain(member);
        expect(dice).toBeLessThan(1);
      }
    }
  });
});
