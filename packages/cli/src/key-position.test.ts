import { describe, expect, it } from 'vitest';
import { keyPosition } from './key-position.js';

describe('the position of a key', () => {
  it('knows tables, quoted and dotted keys, and does not read the inside of a long string', () => {
    const text = 'a = """\nb = 1\n"""\n  "b" = 2\n[c]\nb = 3\n[ d . e ] # x\nf.g = 1\n';
    expect(keyPosition(text, ['b'])).toEqual({ line: 4, column: 3 });
    expect(keyPosition(text, ['c', 'b'])).toEqual({ line: 6, column: 1 });
    expect(keyPosition(text, ['d', 'e', 'f', 'g'])).toEqual({ line: 8, column: 1 });
    expect(keyPosition(text, ['c'])).toEqual({ line: 5, column: 1 });
  });

  it('knows inline tables, also in several lines and within one another', () => {
    const text = 'x = [1, [2, 3], { b = 1 }]\na = { "b" = \'}\', c.d = { e = 1979-05-27 07:32:00, # not f = 1\n  f = -1.5 } }\n';
    expect(keyPosition(text, ['a', 'b'])).toEqual({ line: 2, column: 7 });
    expect(keyPosition(text, ['a', 'c', 'd', 'e'])).toEqual({ line: 2, column: 26 });
    expect(keyPosition(text, ['a', 'c', 'd', 'f'])).toEqual({ line: 3, column: 3 });
    expect(keyPosition(text, ['x', 'b'])).toBeNull();
    expect(keyPosition(text, ['f'])).toBeNull();
  });

  it.each([
    ["a = '''x''''\nb = 1", 2, 1],
    ['a = "\\"b = 2"\nb = 1', 2, 1],
    ['a = """\\"""\nb = 2"""\nb = 1', 3, 1],
    ["# b = 2\r\na = 'b = 3' # b = 4\r\n\tb=1", 3, 2],
    ['[[t]]\nx = 1\n[[t]]\n', null, null],
    ['"\\u0062" = 1', 1, 1],
  ])('is not led astray by %j', (text, line, column) => {
    expect(keyPosition(text, ['b'])).toEqual(line === null ? null : { line, column });
  });

  it.each(['a = ', 'a = [', 'a = {b', '[a', '= 1', 'a', '"'])('ends with what is not TOML: %s', (text) => {
    expect(keyPosition(text, ['z'])).toBeNull();
  });
});
