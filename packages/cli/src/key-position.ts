/** A place in a text, from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/**
 * Where a key stands in a TOML text that is well-formed: in a table (`[a.b]`), in an inline table, dotted or quoted. `null` if it is nowhere. A key or table that comes again is found where it is first.
 */
export function keyPosition(text: string, keys: readonly string[]): Position | null {
  const wanted = keys.join('\0');
  for (const { path, at } of new KeyScanner(text).keys()) if (path.join('\0') === wanted) return positionOf(text, at);
  return null;
}

interface FoundKey {
  readonly path: readonly string[];
  readonly at: number;
}

function positionOf(text: string, at: number): Position {
  const before = text.slice(0, at);
  return { line: before.split('\n').length, column: at - before.lastIndexOf('\n') };
}

const BLANK = /[ \t]*/y;
/** Between statements: also line ends and comments. */
const GAP = /(?:[\s,]|#[^\n]*)*/y;
const KEY = /[\w-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'/y;
const STRING = /"""(?:[^\\]|\\[^])*?"{3,5}(?!")|'''[^]*?'{3,5}(?!')|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'/y;
/** A number, a date, `true`. */
const PLAIN = /[^\s,#[\]{}"']+(?: \d[^\s,#[\]{}"']*)?/y;

/** Finds the keys of a text, and looks at nothing else. What is not well-formed ends it. */
class KeyScanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  *keys(): Generator<FoundKey> {
    let table: readonly string[] = [];
    for (this.#skip(GAP); this.#at < this.#text.length; this.#skip(GAP)) {
      const at = this.#at;
      const opening = this.#take(/\[\[?/y);
      if (opening === null) {
        if (!(yield* this.#pair(table))) return;
        continue;
      }
      table = this.#path();
      yield { path: table, at };
      if (this.#take(/[ \t]*\]\]?/y) === null) return;
    }
  }

  /** `key = value`; whether it was one. */
  *#pair(parents: readonly string[]): Generator<FoundKey, boolean> {
    const at = this.#at;
    const path = [...parents, ...this.#path()];
    if (path.length === parents.length || this.#take(/[ \t]*=[ \t]*/y) === null) return false;
    yield { path, at };
    return yield* this.#value(path);
  }

  *#value(path: readonly string[]): Generator<FoundKey, boolean> {
    if (this.#take(STRING) !== null || this.#take(PLAIN) !== null) return true;
    const opening = this.#take(/[[{]/y);
    if (opening === null) return false;
    const closing = opening === '[' ? /\]/y : /\}/y;
    for (this.#skip(GAP); this.#take(closing) === null; this.#skip(GAP)) {
      // What is in a list has no name.
      const isGood = opening === '[' ? yield* this.#value([...path, '']) : yield* this.#pair(path);
      if (!isGood) return false;
    }
    return true;
  }

  /** `a."b".c` */
  #path(): readonly string[] {
    const path: string[] = [];
    do {
      this.#skip(BLANK);
      const key = this.#take(KEY);
      if (key === null) break;
      path.push(plainKey(key));
    } while (this.#take(/[ \t]*\./y) !== null);
    return path;
  }

  #skip(pattern: RegExp): void {
    this.#take(pattern);
  }

  #take(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? null;
    this.#at += found?.length ?? 0;
    return found;
  }
}

function plainKey(key: string): string {
  if (key.startsWith("'")) return key.slice(1, -1);
  if (!key.startsWith('"')) return key;
  try {
    return JSON.parse(key) as string;
  } catch {
    // An escape that only TOML has.
    return key.slice(1, -1);
  }
}
