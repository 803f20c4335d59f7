import { WbOptionError } from '@wb/core';
import { SqliteAdapter, SqliteQueryCompiler, sql } from 'kysely';
import { describe, expect, it } from 'vitest';
import { assertNamespace, MAX_NAMESPACE_LENGTH } from './namespace.js';
import { compilingKysely } from './statement.js';

function refusal(value: unknown): WbOptionError {
  try {
    assertNamespace('namespace', value);
  } catch (error) {
    if (error instanceof WbOptionError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('assertNamespace', () => {
  it.each(['w', 'wb_', 'a1_b2', 'x'.repeat(MAX_NAMESPACE_LENGTH)])('accepts %j', (value) => {
    expect(() => assertNamespace('namespace', value)).not.toThrow();
  });

  it.each([
    ['', '""'],
    ['Wb', '"Wb"'],
    ['1wb', '"1wb"'],
    ['_wb', '"_wb"'],
    ['wb-', '"wb-"'],
    ['wb.x', '"wb.x"'],
    ['wb\n', '"wb\\n"'],
    ['wb"; drop table wb_lease; --', '"wb\\"; drop table wb_lease; --"'],
    ['wb"', '"wb\\""'],
    ['é', '"é"'],
    ['x'.repeat(33), `"${'x'.repeat(33)}"`],
    [7, 'number'],
    [null, 'object'],
    [undefined, 'undefined'],
  ])('refuses %j with its field, its value and the limit', (value, shown) => {
    const error = refusal(value);
    expect(error).toMatchObject({ code: 'INVALID_OPTION', field: 'namespace' });
    expect(error.message).toBe(`\`namespace\` (${shown}) must be 1 to 32 characters: a letter a–z first, then a–z, 0–9 and _`);
  });

  it('shows no more than 80 characters of what it refuses', () => {
    expect(refusal('X'.repeat(5_000)).message).toContain(`("${'X'.repeat(80)}")`);
  });
});

describe('NamespacePlugin', () => {
  const db = compilingKysely({ createAdapter: () => new SqliteAdapter(), createQueryCompiler: () => new SqliteQueryCompiler() }, 'ns_');

  it('puts the namespace in front of the tables, wherever they are named', () => {
    expect(db.selectFrom('lease').selectAll('lease').compile().sql).toBe('select "ns_lease".* from "ns_lease"');
    expect(db.insertInto('migration').values({ name: 'x' }).compile().sql).toBe('insert into "ns_migration" ("name") values (?)');
    expect(db.updateTable('session').set({ closed: 1 }).compile().sql).toBe('update "ns_session" set "closed" = ?');
    expect(db.deleteFrom('contender').compile().sql).toBe('delete from "ns_contender"');
    expect(db.schema.dropTable('lease').compile().sql).toBe('drop table "ns_lease"');
    expect(sql`${sql.ref('lease.term')} from ${sql.table('session')}`.compile(db).sql).toBe('"ns_lease"."term" from "ns_session"');
  });

  it('leaves aliases and columns alone', () => {
    const query = db
      .selectFrom('lease as l')
      .innerJoin('session as s', 's.session_id', 'l.session_id')
      .select(['l.term', 's.closed as lease']);
    expect(query.compile().sql).toBe(
      'select "l"."term", "s"."closed" as "lease" from "ns_lease" as "l" inner join "ns_session" as "s" on "s"."session_id" = "l"."session_id"',
    );
  });

  it('leaves other tables alone', () => {
    expect(sql`select * from ${sql.table('orders')}`.compile(db).sql).toBe('select * from "orders"');
  });
});
