import { SqliteAdapter, SqliteQueryCompiler, sql } from 'kysely';
import { describe, expect, it } from 'vitest';
import { compilingKysely, statement, type SqlStatement } from './statement.js';

const db = compilingKysely({ createAdapter: () => new SqliteAdapter(), createQueryCompiler: () => new SqliteQueryCompiler() }, 'wb_');

describe('statement', () => {
  it('binds by name, in the order of the placeholders, also one that comes twice', () => {
    const select: SqlStatement<{ term: number; groupId: string }, { term: number }> = statement((p) =>
      db
        .selectFrom('lease')
        .where('group_id', '=', p.groupId)
        .where('term', '>', p.term)
        .where('term', '<', sql<number>`${p.term} + 5`)
        .select('term'),
    );
    expect(select.sql).toBe('select "term" from "wb_lease" where "group_id" = ? and "term" > ? and "term" < ? + 5');
    expect(select.bind({ term: 7, groupId: 'g' })).toEqual(['g', 7, 7]);
  });

  it('keeps values that the query has of its own in their places', () => {
    const update: SqlStatement<{ sessionId: string }, unknown> = statement((p) =>
      db.updateTable('session').set({ closed: 1 }).where('session_id', '=', p.sessionId).where('closed', '=', 0),
    );
    expect(update.bind({ sessionId: 's' })).toEqual([1, 's', 0]);
  });

  it('never puts an argument into the text', () => {
    const hostile = "'; drop table wb_lease; --";
    const remove: SqlStatement<{ groupId: string }, unknown> = statement((p) => db.deleteFrom('lease').where('group_id', '=', p.groupId));
    expect(remove.bind({ groupId: hostile })).toEqual([hostile]);
    expect(remove.sql).toBe('delete from "wb_lease" where "group_id" = ?');
  });

  it('builds the query once: binding compiles nothing', () => {
    let count = 0;
    const select: SqlStatement<{ groupId: string }, unknown> = statement((p) => {
      count += 1;
      return db.selectFrom('lease').where('group_id', '=', p.groupId).select('term');
    });
    for (let at = 0; at < 10; at += 1) select.bind({ groupId: `g${at}` });
    expect(count).toBe(1);
    expect(Object.isFrozen(select)).toBe(true);
  });
});

describe('compilingKysely', () => {
  it('never looks into a database', () => {
    expect(() => db.introspection).toThrow('only compiles');
  });
});
