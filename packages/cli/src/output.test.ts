import { describe, expect, it } from 'vitest';
import { inOneLine, screen } from './output.js';

/** What a terminal of that size shows after the texts were drawn: no line wraps, none scrolls. */
function drawn(texts: readonly string[], rows: number, columns: number): readonly string[] {
  const lines: string[] = Array.from({ length: rows }, () => 'what was there before');
  for (const text of texts) {
    const parts = withoutWrapping(screen(text, { rows, columns })).split('\n');
    expect(parts.length).toBeLessThanOrEqual(rows);
    for (const [at, part] of parts.entries()) {
      if (part.includes('\x1b[J')) lines.fill('', at);
      else lines[at] = part.replace('\x1b[H', '').replace('\x1b[K', '');
      expect([...lines[at]!].length).toBeLessThan(columns);
    }
  }
  return lines;
}

/** Wrapping is off meanwhile, and on again afterwards. */
function withoutWrapping(drawing: string): string {
  const [off, on] = ['\x1b[?7l', '\x1b[?7h'];
  expect([drawing.startsWith(off), drawing.endsWith(on)]).toEqual([true, true]);
  return drawing.slice(off.length, -on.length);
}

describe('a screen that is drawn again and again', () => {
  it('shows the last text, and nothing of those before', () => {
    expect(drawn(['a long line\nb\nc', 'x\ny'], 5, 40)).toEqual(['x', 'y', '', '', '']);
  });

  it('cuts off what would wrap', () => {
    expect(drawn(['0123456789'], 3, 10)).toEqual(['01234567…', '', '']);
    expect(drawn(['012345678'], 3, 10)).toEqual(['012345678', '', '']);
  });

  it('cuts off what would scroll, and says how much that is', () => {
    expect(drawn(['1\n2\n3\n4\n5\n6'], 5, 40)).toEqual(['1', '2', '3', '… and 3 more', '']);
    expect(drawn(['1\n2\n3\n4'], 5, 40)).toEqual(['1', '2', '3', '4', '']);
  });
});

describe('a message', () => {
  it('is one line, whatever was in it', () => {
    expect(inOneLine(' a\n\tb \r\nc\rd\n')).toBe('a b c d');
  });
});
