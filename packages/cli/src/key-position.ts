/**
 * Where a key stands in a TOML text: line and column, both from 1. It knows tables (`[a.b]`), bare and quoted keys, dotted keys and lines of several-line strings;
 * `null` where it would have to guess: a key within an inline table, or one written with escapes.
 */
export function keyPosition(text: string, keys: readonly string[]): { readonly line: number; readonly column: number } | null {
  const wanted = keys.join('\0');
  let table: readonly string[] = [];
  let openString: string | null = null;
  for (const [index, line] of text.split('\n').entries()) {
    if (openString !== null) {
      if (line.includes(openString)) openString = null;
      continue;
    }
    const header = /^(\s*)\[\[?\s*(.+?)\s*\]\]?\s*(?:#.*)?$/.exec(line);
    if (header !== null) {
      table = names(header[2]!);
      if (table.join('\0') === wanted) return { line: index + 1, column: header[1]!.length + 1 };
      continue;
    }
    const pair = /^(\s*)((?:[\w-]+|"[^"\\]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"\\]*"|'[^']*'))*)\s*=(.*)$/.exec(line);
    if (pair === null) continue;
    const found = [...table, ...names(pair[2]!)];
    if (found.join('\0') === wanted) return { line: index + 1, column: pair[1]!.length + 1 };
    const opening = /^\s*("""|''')/.exec(pair[3]!);
    if (opening !== null && !pair[3]!.slice(opening[0].length).includes(opening[1]!)) openString = opening[1]!;
  }
  return null;
}

function names(dotted: string): readonly string[] {
  return (dotted.match(/[\w-]+|"[^"]*"|'[^']*'/g) ?? []).map((name) => name.replace(/^["']|["']$/g, ''));
}
