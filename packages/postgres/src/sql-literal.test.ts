import { describe, expect, it } from 'vitest';
import { inlined, literal, textArray, wholeArray } from './sql-literal.js';

describe('values as SQL text', () => {
  it.each<[string | number | null, string]>([
    [null, 'null'],
    [7, '7'],
    [-7, '(-7)'],
    ['', "''"],
    ["it's", "'it''s'"],
    ['a\\', " E'a\\\\'"],
    ["\\' or 1=1 --", " E'\\\\'' or 1=1 --'"],
    ['$1', "'$1'"],
  ])('%o is %s', (value, text) => {
    expect(literal(value)).toBe(text);
  });

  it.each([1.5, Number.NaN, Number.POSITIVE_INFINITY])('%s is refused', (value) => {
    expect(() => literal(value)).toThrow(TypeError);
  });

  it('arrays keep every character', () => {
    expect(textArray([])).toBe('{}');
    expect(textArray(['a', 'NULL', '', 'b,"{}\\'])).toBe('{"a","NULL","","b,\\"{}\\\\"}');
    expect(wholeArray([1, 2])).toBe('{1,2}');
  });

  it('placeholders are replaced once: a value that looks like one stays what it is', () => {
    const statement = {
      sql: 'select $1::text, $2::bigint, $10::text',
      bind: (args: { a: string }) => [args.a, 2, null, null, null, null, null, null, null, '$1'],
    };
    expect(inlined(statement, { a: '$2' })).toBe("select '$2'::text, 2::bigint, '$1'::text");
  });
});
