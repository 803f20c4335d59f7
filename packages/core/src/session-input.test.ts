import { describe, expect, it } from 'vitest';
import type { NewSession } from './lease-store.js';
import { assertBatch, assertLeases, assertNewSession, MAX_TTL_MS } from './session-input.js';

const session: NewSession = { sessionId: 's1', memberId: 'a', ttlMs: 1_000 };

describe('what a store is given to open', () => {
  it('is a session with a TTL of a whole number of milliseconds, up to a day', () => {
    for (const ttlMs of [1, 1_000, MAX_TTL_MS]) expect(() => assertNewSession({ ...session, ttlMs })).not.toThrow();
    expect(() => assertNewSession({ ...session, metadata: { host: 'north' } })).not.toThrow();
    expect(MAX_TTL_MS).toBe(24 * 60 * 60 * 1_000);
  });

  it.each([
    0,
    -1,
    0.5,
    1_000.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    MAX_TTL_MS + 1,
    '1000' as unknown as number,
    null as unknown as number,
  ])('F12: is refused with a TTL of %s', (ttlMs) => {
    expect(() => assertNewSession({ ...session, ttlMs })).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTION',
        field: 'ttlMs',
        message: `\`ttlMs\` (${ttlMs}) must be a whole number of milliseconds from 1 to 86400000`,
      }),
    );
  });

  it.each(['sessionId', 'memberId'] as const)('F7: is refused with a bad `%s`', (field) => {
    for (const name of ['', 'x'.repeat(256), 'a\u0000', 5 as unknown as string]) {
      expect(() => assertNewSession({ ...session, [field]: name })).toThrow(expect.objectContaining({ code: 'INVALID_NAME', field }));
    }
  });

  it('is refused with bad metadata', () => {
    expect(() => assertNewSession({ ...session, metadata: { port: 80 as unknown as string } })).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', field: 'metadata' }),
    );
  });
});

describe('a batch', () => {
  it('F7: is refused when the session or any of the groups has a bad name', () => {
    expect(() => assertBatch('s1', ['a', 'b'])).not.toThrow();
    expect(() => assertBatch('s1', [])).not.toThrow();
    expect(() => assertBatch('', ['a'])).toThrow(expect.objectContaining({ code: 'INVALID_NAME', field: 'sessionId' }));
    expect(() => assertBatch('s1', ['a', 'b', ''])).toThrow(expect.objectContaining({ code: 'INVALID_NAME', field: 'groupId' }));
  });
});

describe('a release', () => {
  it('F7: is refused when the session or any of the groups has a bad name', () => {
    expect(() => assertLeases('s1', [{ groupId: 'a', term: 1 }])).not.toThrow();
    expect(() => assertLeases('\n', [{ groupId: 'a', term: 1 }])).toThrow(
      expect.objectContaining({ code: 'INVALID_NAME', field: 'sessionId' }),
    );
    expect(() =>
      assertLeases('s1', [
        { groupId: 'a', term: 1 },
        { groupId: 'b\n', term: 1 },
      ]),
    ).toThrow(expect.objectContaining({ code: 'INVALID_NAME', field: 'groupId' }));
  });

  it.each([0, -1, 1.5, Number.NaN, 2 ** 53, '1' as unknown as number])('is refused with a term of %s', (term) => {
    expect(() => assertLeases('s1', [{ groupId: 'a', term }])).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', field: 'term', message: `\`term\` (${term}) must be a whole number from 1` }),
    );
  });
});
