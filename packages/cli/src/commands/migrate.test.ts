import { describe, expect, it } from 'vitest';
import { migrationScript } from './migrate.js';

describe('the script of a migration', () => {
  it('has one statement a line, and no name can end its comment', () => {
    expect(migrationScript(['begin', 'create table a (b int)', 'commit'], 'SQLite file a\ndrop table b;')).toBe(
      '-- brings up to date, once: SQLite file a�drop table b;\nbegin;\ncreate table a (b int);\ncommit;',
    );
  });

  it('is empty when there is nothing to do', () => {
    expect(migrationScript([], 'x')).toBe('');
  });
});
