import { describe, expect, it } from 'vitest';
import { decodeRows, literal, statementCompiler } from './mysql-statement.js';

describe('statements', () => {
  const { read, write, writeMany } = statementCompiler('wb_');

  it('put the namespace before tables, and values where they are named', () => {
    const step = write<{ id: string; n: number }>('update {session} set ttl_ms = :n where session_id = :id');
    expect(step({ id: 'a', n: 5 }).sql).toBe('update `wb_session` set ttl_ms = 5 where session_id = _utf8mb4 0x61');
  });

  it('take a time of day for no name', () => {
    expect(read<Record<never, never>, { n: number }>("select timestamp '1970-01-01 00:00:00'", { n: 'integer' })({}).sql).toContain(
      "'1970-01-01 00:00:00'",
    );
  });

  it('write texts without a character that any sql_mode could read otherwise', () => {
    expect(literal(`'"\\; drop table x; -- 🙂`)).toMatch(/^_utf8mb4 0x[0-9a-f]+$/);
    expect(literal('')).toBe("_utf8mb4 ''");
    expect(literal(null)).toBe('null');
    expect(() => literal(1.5)).toThrow(RangeError);
    expect(() => literal(Number.NaN)).toThrow(RangeError);
  });

  it('write lists of any length', () => {
    const step = writeMany('delete from {lease} where group_id in (:names)');
    expect(step([]).sql).toBe('delete from `wb_lease` where group_id in (null)');
    expect(step(['a', 'b']).sql).toBe('delete from `wb_lease` where group_id in (_utf8mb4 0x61, _utf8mb4 0x62)');
  });

  it('read bytes as what the column is, and null as null', () => {
    const rows = [[Buffer.from('é🙂'), Buffer.from('9007199254740991'), null]];
    expect(decodeRows<{ a: string; b: number; c: string | null }>({ a: 'text', b: 'integer', c: 'text' }, rows)).toEqual([
      { a: 'é🙂', b: 9_007_199_254_740_991, c: null },
    ]);
  });
});
