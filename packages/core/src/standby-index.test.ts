import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HolderHealth } from './lease-store.js';
import { StandbyIndex } from './standby-index.js';

const health = (sessionId: string, remainingMs: number, releaseCount: number = 0): HolderHealth => ({
  sessionId,
  remainingMs,
  releaseCount,
});

describe('the index of those who are waited for', () => {
  it('§8: asks about sessions, however many groups each holds', () => {
    const index = new StandbyIndex();
    for (let group = 0; group < 1_000; group += 1) index.track(`group-${group}`, health(`s${group % 3}`, 500), 0);
    expect(index.holderIds).toEqual(['s0', 's1', 's2']);
    expect(index.update([health('s1', 0)], 10).orphaned.length).toBe(333);
    expect(index.holderIds).toEqual(['s0', 's2']);
  });

  it('a holder of more groups than a call takes arguments can die, and be released', () => {
    const index = new StandbyIndex();
    const count = 260_000;
    for (let group = 0; group < count; group += 1) index.track(`group-${group}`, health(`s${group % 2}`, 500), 0);
    expect(index.update([health('s0', 500, 1)], 10).suspect.length).toBe(count / 2);
    expect(index.update([health('s0', 0)], 10).orphaned.length + index.takeExpired(1_000, 0, Infinity).length).toBe(count);
  });

  it('asks about nobody when nothing is waited for', () => {
    const index = new StandbyIndex();
    expect(index.holderIds).toEqual([]);
    expect(index.nextExpiryMs).toBe(Number.POSITIVE_INFINITY);
    index.track('a', health('s1', 500), 0);
    index.untrack('a');
    index.untrack('a');
    index.untrack('never');
    expect(index.holderIds).toEqual([]);
    expect(index.nextExpiryMs).toBe(Number.POSITIVE_INFINITY);
    expect(index.takeExpired(1e9, 0, Infinity)).toEqual([]);
  });

  it('a group that has a new holder is no longer waited for with the old one', () => {
    const index = new StandbyIndex();
    index.track('a', health('s1', 500), 0);
    index.track('a', health('s2', 900), 100);
    expect(index.holderIds).toEqual(['s2']);
    expect(index.takeExpired(600, 0, Infinity)).toEqual([]);
    expect(index.takeExpired(1_000, 0, Infinity)).toEqual(['a']);
  });

  it('§8: tells when the first holder would expire, counted from when the question went out', () => {
    const index = new StandbyIndex();
    index.track('a', health('s1', 500), 100);
    index.track('b', health('s2', 300), 150);
    expect(index.nextExpiryMs).toBe(450);
    index.update([health('s2', 1_000)], 400);
    expect(index.nextExpiryMs).toBe(600);
  });

  it('a later look at the same holder never makes it expire sooner', () => {
    const index = new StandbyIndex();
    index.track('a', health('s1', 500), 100);
    index.track('b', health('s1', 100), 110);
    expect(index.nextExpiryMs).toBe(600);
    index.track('c', health('s1', 900), 120);
    expect(index.nextExpiryMs).toBe(1_020);
  });

  it('a heartbeat’s word is the last, also when it is sooner', () => {
    const index = new StandbyIndex();
    index.track('a', health('s1', 500), 100);
    index.update([health('s1', 50)], 110);
    expect(index.nextExpiryMs).toBe(160);
  });

  it('F18: a dead holder that had released something since was closed, and its groups count as released', () => {
    const index = new StandbyIndex();
    index.track('a', health('s1', 500, 3), 0);
    index.track('b', health('s2', 500, 3), 0);
    expect(index.update([health('s1', 0, 4), health('s2', 0, 3)], 10)).toEqual({ orphaned: ['b'], released: ['a'], suspect: [] });
    expect(index.holderIds).toEqual([]);
  });

  it('the groups of a dead holder are orphaned, and no longer waited for', () => {
    const index = new StandbyIndex();
    index.track('a', health('s1', 500), 0);
    index.track('b', health('s1', 500), 0);
    index.track('c', health('s2', 500), 0);
    const news = index.update([health('s1', 0), health('s2', 500)], 10);
    expect(news).toEqual({ orphaned: ['a', 'b'], released: [], suspect: [] });
    expect(index.holderIds).toEqual(['s2']);
    expect(index.update([health('s1', 0)], 20)).toEqual({ orphaned: [], released: [], suspect: [] });
  });

  it('T9: a holder that released something makes all that it holds suspect, once for each time', () => {
    const index = new StandbyIndex();
    index.track('a', health('s1', 500, 2), 0);
    index.track('b', health('s1', 500, 2), 0);
    expect(index.update([health('s1', 500, 2)], 10).suspect).toEqual([]);
    expect(index.update([health('s1', 500, 3)], 20).suspect).toEqual(['a', 'b']);
    expect(index.update([health('s1', 500, 3)], 30).suspect).toEqual([]);
    expect(index.update([health('s1', 500, 5)], 40).suspect).toEqual(['a', 'b']);
  });

  it('T9: of two counts that were seen the lower is kept: what was released in between may be a group that was tracked before', () => {
    for (const [first, second] of [
      [2, 3],
      [3, 2],
    ] as const) {
      const index = new StandbyIndex();
      index.track('a', health('s1', 500, first), 0);
      index.track('b', health('s1', 500, second), 0);
      expect(index.update([health('s1', 500, 3)], 10).suspect).toEqual(['a', 'b']);
    }
  });

  it('news of sessions that are not waited for are none', () => {
    const index = new StandbyIndex();
    index.track('a', health('s1', 500), 0);
    expect(index.update([health('s9', 0), health('s8', 500, 7)], 10)).toEqual({ orphaned: [], released: [], suspect: [] });
    expect(index.holderIds).toEqual(['s1']);
  });

  it('what has expired is taken out a part at a time, of one holder and of several', () => {
    const index = new StandbyIndex();
    for (const groupId of ['a', 'b', 'c']) index.track(groupId, health('s1', 500), 100);
    index.track('d', health('s2', 500), 100);
    expect(index.takeExpired(600, 0, 2)).toEqual(['a', 'b']);
    expect(index.nextExpiryMs).toBe(600);
    expect(index.takeExpired(600, 0, 2)).toEqual(['c', 'd']);
    expect(index.takeExpired(600, 0, 2)).toEqual([]);
  });

  it('what has expired is taken out once, when its delay has passed too', () => {
    const index = new StandbyIndex();
    index.track('a', health('s1', 500), 100);
    expect(index.takeExpired(600, 4, Infinity)).toEqual([]);
    expect(index.takeExpired(603.9, 4, Infinity)).toEqual([]);
    expect(index.takeExpired(604, 4, Infinity)).toEqual(['a']);
    expect(index.takeExpired(604, 4, Infinity)).toEqual([]);
    expect(index.holderIds).toEqual([]);
  });

  it('is empty when it is cleared', () => {
    const index = new StandbyIndex();
    index.track('a', health('s1', 500), 0);
    index.clear();
    expect(index.holderIds).toEqual([]);
    expect(index.update([health('s1', 0)], 10)).toEqual({ orphaned: [], released: [], suspect: [] });
    index.track('a', health('s2', 500), 0);
    expect(index.holderIds).toEqual(['s2']);
  });

  it('agrees with a plain table, whatever happens', () => {
    const group = fc.constantFrom('a', 'b', 'c', 'd');
    const session = fc.constantFrom('s1', 's2', 's3');
    const deed = fc.oneof(
      fc.record({ kind: fc.constant('track' as const), group, session, ms: fc.nat(100) }),
      fc.record({ kind: fc.constant('untrack' as const), group }),
      fc.record({ kind: fc.constant('dead' as const), session }),
    );
    fc.assert(
      fc.property(fc.array(deed, { maxLength: 40 }), (deeds) => {
        const index = new StandbyIndex();
        const holderOf = new Map<string, string>();
        for (const next of deeds) {
          let orphaned: readonly string[] = [];
          const expected = next.kind === 'dead' ? [...holderOf].filter(([, holder]) => holder === next.session).map(([name]) => name) : [];
          if (next.kind === 'track') {
            index.track(next.group, health(next.session, next.ms + 1), 0);
            holderOf.set(next.group, next.session);
          } else if (next.kind === 'untrack') {
            index.untrack(next.group);
            holderOf.delete(next.group);
          } else {
            orphaned = index.update([health(next.session, 0)], 0).orphaned;
            for (const name of expected) holderOf.delete(name);
          }
          expect(orphaned.toSorted()).toEqual(expected.toSorted());
          expect(index.holderIds.toSorted()).toEqual([...new Set(holderOf.values())].toSorted());
        }
        expect(index.takeExpired(1e9, 0, Infinity).toSorted()).toEqual([...holderOf.keys()].toSorted());
      }),
    );
  });
});
