import { WbOptionError } from '@wb/core';
import { describe, expect, it } from 'vitest';
import { guardParts, type GuardOptions } from './guard.js';

const BYTES = { maxLength: 63, unit: 'bytes', quote: '"' } as const;
const CHARACTERS = {
  maxLength: 64,
  unit: 'characters',
  quote: '`',
  forbidden: { pattern: /x$/, inWords: 'without an x at its end' },
} as const;

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof WbOptionError) return error.message;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('the names of a guard', () => {
  it('are refused with their field, value and limit', () => {
    const refusal = (table: unknown, options: unknown = {}): string =>
      messageOf(() => guardParts(table as string, options as GuardOptions, BYTES));
    expect(refusal('')).toBe('`table` ("") must be a name of 1 to 63 bytes; it has 0');
    expect(refusal('ä'.repeat(32))).toBe(`\`table\` ("${'ä'.repeat(32)}") must be a name of 1 to 63 bytes; it has 64`);
    expect(refusal('a\0b')).toBe(
      '`table` ("a\\u0000b") must be a name of 1 to 63 bytes, without control characters and unpaired surrogates',
    );
    expect(refusal('a\ud800')).toContain('unpaired surrogates');
    expect(refusal(7)).toBe('`table` (number) must be a name of 1 to 63 bytes');
    expect(refusal('t', { column: '' })).toContain('`column` ("")');
    expect(refusal('t', { schema: 'x'.repeat(100) })).toContain(`\`schema\` ("${'x'.repeat(80)}…") must be`);
    expect(refusal('t', { addColumn: 'yes' })).toBe('`addColumn` (yes) must be true or false');
    expect(messageOf(() => guardParts('tax', {}, CHARACTERS))).toContain('without an x at its end');
  });

  it('are quoted, and the mark has one of its own for every table, however long', () => {
    const { id, mark, column, schema, addColumn } = guardParts('o"clock', {}, BYTES);
    expect([id('o"clock'), mark, column, schema, addColumn]).toEqual(['"o""clock"', 'wb_guard_o"clock', 'wb_term', null, true]);
    const marks = ['ä'.repeat(31), `${'ä'.repeat(30)}b`, 'x'.repeat(46), 'x'.repeat(47), 'x'.repeat(63)].map(
      (table) => guardParts(table, {}, BYTES).mark,
    );
    expect(new Set(marks).size).toBe(marks.length);
    for (const name of marks) expect(Buffer.byteLength(`${name}_delete`)).toBeLessThanOrEqual(63);
    expect([...guardParts('表'.repeat(64), {}, CHARACTERS).mark].length).toBe(64 - 8);
  });
});
