import { SqliteAdapter, SqliteQueryCompiler, sql } from 'kysely';
import { describe, expect, it } from 'vitest';
import { MIGRATION_NAMES, planMigrations, readLedger, type SchemaDialect } from './migrations.js';
import { MAX_NAMESPACE_LENGTH } from './namespace.js';
import { compilingKysely } from './statement.js';
import { TABLE_NAMES } from './tables.js';

function dialectFor(namespace: string): SchemaDialect {
  return {
    db: compilingKysely({ createAdapter: () => new SqliteAdapter(), createQueryCompiler: () => new SqliteQueryCompiler() }, namespace),
    nameType: sql`NAME`,
    integerType: sql`INTEGER`,
    textType: sql`TEXT`,
  };
}

const planned = (applied: readonly string[] | null, dialect: SchemaDialect = dialectFor('wb_'), namespace: string = 'wb_'): string[] =>
  planMigrations(dialect, namespace, applied).map((query) => query.sql);

describe('planMigrations', () => {
  it('F20: creates everything on an empty database, the ledger first, and writes down each migration after its statements', () => {
    const plan = planMigrations(dialectFor('wb_'), 'wb_', null);
    expect(plan[0]!.sql).toBe('create table if not exists "wb_migration" ("name" NAME not null primary key)');
    expect(plan.at(-1)!.sql).toBe('insert into "wb_migration" ("name") values (?)');
    const written = plan.filter((query) => query.sql.startsWith('insert')).map((query) => query.parameters[0]);
    expect(written).toEqual(MIGRATION_NAMES);
    for (const name of TABLE_NAMES)
      expect(planned(null).some((text) => text.startsWith(`create table if not exists "wb_${name}" `))).toBe(true);
  });

  it('F20: with an empty ledger does not create that again', () => {
    expect(planned([])).toEqual(planned(null).slice(1));
  });

  it('F20: has nothing to do when everything was applied, also by a newer version', () => {
    expect(planned(MIGRATION_NAMES)).toEqual([]);
    expect(planned(['9999-of-tomorrow', ...MIGRATION_NAMES])).toEqual([]);
  });

  it('applies what is missing although a newer version was there first', () => {
    expect(planned(['9999-of-tomorrow'])).toEqual(planned([]));
  });

  it('F20: every statement that defines something can be repeated, for databases whose DDL ends a transaction', () => {
    for (const text of planned(null).filter((each) => !each.startsWith('insert')))
      expect(text).toMatch(/^create (table|index) if not exists "/);
  });

  it('a published migration never changes', () => {
    expect(planned([])).toEqual([
      'create table if not exists "wb_session" ("session_id" NAME not null primary key, "member_id" NAME not null, "ttl_ms" INTEGER not null, ' +
        '"opened_at_ms" INTEGER not null, "expires_at_ms" INTEGER not null, "closed" INTEGER default 0 not null, ' +
        '"grant_count" INTEGER default 0 not null, "release_count" INTEGER default 0 not null, "metadata" TEXT not null)',
      'create table if not exists "wb_lease" ("group_id" NAME not null primary key, "term" INTEGER not null check (term > 0), "session_id" NAME)',
      'create index if not exists "wb_lease_session_id" on "wb_lease" ("session_id")',
      'create table if not exists "wb_contender" ("session_id" NAME not null, "group_id" NAME not null, ' +
        'constraint "wb_contender_key" primary key ("session_id", "group_id"))',
      'create index if not exists "wb_contender_group_id" on "wb_contender" ("group_id")',
      'insert into "wb_migration" ("name") values (?)',
      'create table if not exists "wb_term" ("group_id" NAME not null, "term" INTEGER not null, "session_id" NAME not null, ' +
        '"member_id" NAME not null, "began_at_ms" INTEGER not null, "ended_at_ms" INTEGER, "end_reason" NAME, ' +
        '"resign" INTEGER default 0 not null, constraint "wb_term_key" primary key ("group_id", "term"))',
      'insert into "wb_migration" ("name") values (?)',
      'create table if not exists "wb_job" ("group_id" NAME not null, "job_id" NAME not null, "version" INTEGER not null, ' +
        '"write_id" NAME not null, "term" INTEGER not null, "record" TEXT not null, constraint "wb_job_key" primary key ("group_id", "job_id"))',
      'insert into "wb_migration" ("name") values (?)',
      'insert into "wb_migration" ("name") values (?)',
    ]);
    expect(MIGRATION_NAMES).toEqual(['0001-sessions-and-leases', '0002-terms', '0003-jobs', '0004-room-for-heartbeats']);
  });

  it('brings a database of an earlier version up to date with what is new alone', () => {
    const plan = planned(['0001-sessions-and-leases', '0002-terms', '0004-room-for-heartbeats']);
    expect(plan.map((text) => text.slice(0, 38))).toEqual([
      'create table if not exists "wb_job" ("',
      'insert into "wb_migration" ("name") va',
    ]);
  });

  it('tunes the table of sessions where the database has something to tune, once', () => {
    const dialect = dialectFor('wb_');
    const tuned: SchemaDialect = { ...dialect, tuneSessions: () => [sql`tune ${sql.table('session')}`.compile(dialect.db)] };
    expect(planned(['0001-sessions-and-leases', '0002-terms', '0003-jobs'], tuned)).toEqual([
      'tune "wb_session"',
      'insert into "wb_migration" ("name") values (?)',
    ]);
    expect(planned(MIGRATION_NAMES, tuned)).toEqual([]);
  });

  it('no index has the expiry: a heartbeat must touch none', () => {
    for (const text of planned([]).filter((each) => each.startsWith('create index'))) expect(text).not.toMatch(/expires|closed|_count/);
  });

  it('every name fits the databases that allow 63 characters, with the longest namespace', () => {
    const namespace = 'n'.repeat(MAX_NAMESPACE_LENGTH);
    const names = planned(null, dialectFor(namespace), namespace).flatMap((text) =>
      [...text.matchAll(/"(n{32}[^"]*)"/g)].map((match) => match[1]!),
    );
    expect(names.length).toBeGreaterThan(5);
    for (const name of names) expect(name.length).toBeLessThanOrEqual(63);
  });

  it('ends each table as the database wants it', () => {
    const dialect: SchemaDialect = { ...dialectFor('wb_'), finishTable: (table) => table.modifyEnd(sql`strict`) };
    for (const text of planned(null, dialect).filter((each) => each.startsWith('create table'))) expect(text).toMatch(/\) strict$/);
  });
});

describe('readLedger', () => {
  it('reads the names, and writes nothing', () => {
    expect(readLedger(dialectFor('ns_')).sql).toBe('select "name" from "ns_migration"');
  });
});
