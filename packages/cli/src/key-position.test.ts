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

  it('does not guess', () => {
    expect(keyPosition('a = { b = 1 }\n', ['a', 'b'])).toBeNull();
  });
});
