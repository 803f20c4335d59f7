import { StoreError } from '@wb/core';
import { describe, expect, it } from 'vitest';
import { inParts, PART_SIZE } from './batch-parts.js';
import { claimPart, sessionDeadRow } from './claim-part.js';
import type { ClaimRow, ReleaseRow } from './postgres-claim-sql.js';
import { releasePart } from './release-part.js';

const refused = (): StoreError => new StoreError('STORE_BUSY', 'no', { isRetryable: true, outcome: 'none' });
const row = (groupId: string, kind: ClaimRow['kind']): ClaimRow => ({ ...sessionDeadRow(groupId), kind });

/** Gives each answer once, in order; an error is thrown. */
function answers<T>(...given: readonly (T | Error)[]): { readonly call: (asked: unknown) => Promise<T>; readonly asked: unknown[] } {
  const asked: unknown[] = [];
  const rest = [...given];
  const call = (what: unknown): Promise<T> => {
    asked.push(what);
    const answer = rest.shift();
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer as T);
  };
  return { call, asked };
}

describe('a batch of which something was committed before a fault', () => {
  it.each([
    ['in its first part', 0, 'none'],
    ['in a later part', 1, 'unknown'],
  ])('%s: after %i parts the outcome is %s', async (_where, before, outcome) => {
    const { call } = answers<null>(...Array.from({ length: before }, () => null), refused());
    const run = inParts(
      Array.from({ length: PART_SIZE * 3 }, (_, at) => at),
      call,
    );
    await expect(run).rejects.toMatchObject({ code: 'STORE_BUSY', isRetryable: true, outcome });
  });

  it.each([
    ['fresh', 'unknown'],
    ['again', 'none'],
  ] as const)('the second look of a claim fails after a %s grant: the outcome is %s', async (kind, outcome) => {
    const { call } = answers<readonly ClaimRow[]>([row('a', kind), row('b', 'busy')], refused());
    await expect(claimPart(call, ['a', 'b'])).rejects.toMatchObject({ outcome });
  });

  it.each([
    ['released', 'unknown'],
    ['not-held', 'none'],
  ] as const)('a release is %s in part and then fails: the outcome is %s', async (kind, outcome) => {
    const { call } = answers<readonly ReleaseRow[]>(
      [
        { groupId: 'a', term: 1, kind },
        { groupId: 'b', term: 1, kind: 'busy' },
      ],
      refused(),
    );
    const calls = { release: call, pause: () => Promise.resolve(), limitMs: 1_000 };
    await expect(releasePart(calls, [])).rejects.toMatchObject({ outcome });
  });
});

describe('a second look', () => {
  it('is taken at what was busy, and at nothing else', async () => {
    const { call, asked } = answers<readonly ClaimRow[]>([row('a', 'fresh'), row('b', 'busy')], [row('b', 'held')]);
    expect((await claimPart(call, ['a', 'b'])).map(({ groupId, kind }) => [groupId, kind])).toEqual([
      ['a', 'fresh'],
      ['b', 'held'],
    ]);
    expect(asked).toEqual([['a', 'b'], ['b']]);
  });
});
