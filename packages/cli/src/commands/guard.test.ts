import { describe, expect, it } from 'vitest';
import { guardScript, parseTableName } from './guard.js';

describe('the name of a table on the command line', () => {
  it('is a table, or a schema and a table, in double quotes or not', () => {
    expect(parseTableName('invoice')).toEqual({ table: 'invoice' });
    expect(parseTableName('billing.invoice')).toEqual({ schema: 'billing', table: 'invoice' });
    expect(parseTableName('"my.table"')).toEqual({ table: 'my.table' });
    expect(parseTableName('"a""b".\'c; --')).toEqual({ schema: 'a"b', table: "'c; --" });
    for (const text of ['', 'a.b.c', 'a.', '.b', '"a', 'a"b', '""', '"a"b'])
      expect(() => parseTableName(text), text).toThrow('is not the name of a table');
  });
});

describe('the script of a guard', () => {
  it('is one transaction where there are transactions of DDL', () => {
    expect(guardScript(['create a', 'create b'], { inTransaction: true }, 'db\n/x')).toBe(
      '-- for db�/x\nbegin;\ncreate a;\ncreate b;\ncommit;',
    );
  });

  it('has an end of statements for the shell of MySQL that no statement has', () => {
    expect(guardScript(['create `a//b`; end', 'c'], { inTransaction: false }, 'db')).toBe(
      '-- for db\ndelimiter ///\ncreate `a//b`; end///\nc///\ndelimiter ;',
    );
  });
});
