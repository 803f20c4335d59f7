import { describe, expect, it } from 'vitest';
import { storeTables } from './postgres-fragments.js';
import { postgresSchema } from './postgres-schema.js';
import { compileStoreSql } from './postgres-statements.js';

const statements = Object.entries(compileStoreSql(postgresSchema('S', 'n_').db, storeTables('S', 'n_'), 'n_channel'));

describe.each(statements)('the statement %s', (_name, { sql }) => {
  it('T1: reads no clock that stands still, and no zone', () => {
    expect(sql).not.toMatch(/\bnow\(\)|current_timestamp|localtime|statement_timestamp|transaction_timestamp|timezone/i);
  });

  it('names every table with its schema', () => {
    expect(sql.replaceAll(/"S"\."n_(session|lease|contender)"/g, '')).not.toMatch(/n_(session|lease|contender)/);
  });

  it('has one statement: one transaction', () => {
    expect(sql).not.toContain(';');
  });
});

describe('locks', () => {
  it('T8: lease rows are never waited for, and rows are locked in sorted order', () => {
    for (const [name, { sql }] of statements) {
      for (const [lock] of sql.matchAll(/for (?:no key )?update of l\b[^)]*/g))
        expect([name, lock.trim()]).toEqual([name, 'for update of l skip locked']);
      for (const [before] of sql.matchAll(/.*\n?.*for (?:no key )?update of \w+ skip locked/g))
        expect([name, before]).toEqual([name, expect.stringContaining('order by')]);
    }
  });

  it('W1: a heartbeat notifies nobody', () => {
    expect(Object.fromEntries(statements.map(([name, { sql }]) => [name, sql.includes('pg_notify')]))).toMatchObject({
      heartbeat: false,
      claim: true,
      release: true,
      closeSession: true,
    });
  });
});
