/**
 * The schema, as code. Kysely's own migrator is not used, for three reasons: it locks on PostgreSQL and MySQL but not on SQLite; it creates
 * its tables outside that lock; and it sorts what was applied by client timestamps, so that nodes with wrong clocks find their
 * migrations "corrupted" (T1). Here a migration is a list of statements, what is to be done is computed from what was applied, and the adapter runs it:
 *
 * 1. It reads what was applied (`null` without a ledger) and plans. Nothing to do: done, with read rights alone.
 * 2. It takes its database's own lock (a write transaction, an advisory lock), reads and plans *again*, and runs the plan.
 *
 * Every statement is also safe to repeat, for databases whose DDL ends a transaction: a run that died in the middle is taken up again.
 *
 * @module
 */
import { sql, type CompiledQuery, type CreateTableBuilder, type Expression, type Kysely } from 'kysely';
import type { WbTables } from './tables.js';

/** What a database says about column types. */
export interface SchemaDialect {
  /** Compiles for the database: see `compilingKysely`. */
  readonly db: Kysely<WbTables>;
  /** A name of 255 characters that is compared byte by byte: case, accents and trailing blanks count (F7). */
  readonly nameType: Expression<unknown>;
  /** A whole number of 64 bits: milliseconds, terms and counts. */
  readonly integerType: Expression<unknown>;
  /** Text of at least 32,768 bytes. */
  readonly textType: Expression<unknown>;
  /** What else the table of sessions needs, whose rows are written with every heartbeat; safe to repeat. Default: nothing. */
  readonly tuneSessions?: () => readonly CompiledQuery[];
  /** What the database wants at the end of `create table`. Default: nothing. */
  readonly finishTable?: <T extends string>(table: CreateTableBuilder<T, string>) => CreateTableBuilder<T, string>;
}

interface Migration {
  readonly name: string;
  readonly statements: (dialect: SchemaDialect, namespace: string) => readonly CompiledQuery[];
}

/**
 * Never changed once published, only added to. A new one must leave the tables fit for the versions before it, because nodes of both versions
 * run side by side during a deployment.
 */
const MIGRATIONS: readonly Migration[] = Object.freeze([
  { name: '0001-sessions-and-leases', statements: sessionsAndLeases },
  { name: '0002-terms', statements: terms },
  { name: '0003-jobs', statements: jobs },
  { name: '0004-room-for-heartbeats', statements: (dialect) => dialect.tuneSessions?.() ?? [] },
]);

/** The names of the migrations that this version knows, in order. */
export const MIGRATION_NAMES: readonly string[] = Object.freeze(MIGRATIONS.map(({ name }) => name));

/**
 * What brings the database up to date, in order; nothing if it is. Names that a newer version has applied are no fault.
 * @param applied The names in the ledger (table `migration`); `null` when that table does not exist.
 */
export function planMigrations(dialect: SchemaDialect, namespace: string, applied: readonly string[] | null): readonly CompiledQuery[] {
  const isApplied = new Set(applied);
  const plan: CompiledQuery[] = applied === null ? [createLedger(dialect)] : [];
  for (const { name, statements } of MIGRATIONS) {
    if (isApplied.has(name)) continue;
    plan.push(...statements(dialect, namespace), dialect.db.insertInto('migration').values({ name }).compile());
  }
  return plan;
}

/** Reads the ledger. Fails if it does not exist: the adapter makes `null` of that. */
export function readLedger(dialect: SchemaDialect): CompiledQuery<{ name: string }> {
  return dialect.db.selectFrom('migration').select('name').compile();
}

function createLedger(dialect: SchemaDialect): CompiledQuery {
  return finish(
    dialect,
    dialect.db.schema
      .createTable('migration')
      .ifNotExists()
      .addColumn('name', dialect.nameType as Expression<string>, (column) => column.primaryKey().notNull()),
  );
}

function sessionsAndLeases(dialect: SchemaDialect, namespace: string): readonly CompiledQuery[] {
  const { schema } = dialect.db;
  const name = dialect.nameType as Expression<string>;
  const integer = dialect.integerType as Expression<number>;
  const text = dialect.textType as Expression<string>;
  return [
    finish(
      dialect,
      schema
        .createTable('session')
        .ifNotExists()
        .addColumn('session_id', name, (column) => column.primaryKey().notNull())
        .addColumn('member_id', name, (column) => column.notNull())
        .addColumn('ttl_ms', integer, (column) => column.notNull())
        .addColumn('opened_at_ms', integer, (column) => column.notNull())
        .addColumn('expires_at_ms', integer, (column) => column.notNull())
        .addColumn('closed', integer, (column) => column.notNull().defaultTo(0))
        .addColumn('grant_count', integer, (column) => column.notNull().defaultTo(0))
        .addColumn('release_count', integer, (column) => column.notNull().defaultTo(0))
        .addColumn('metadata', text, (column) => column.notNull()),
    ),
    // No foreign key to the session: pruning must not depend on leases, and every grant would lock the session's row through it.
    finish(
      dialect,
      schema
        .createTable('lease')
        .ifNotExists()
        .addColumn('group_id', name, (column) => column.primaryKey().notNull())
        .addColumn('term', integer, (column) => column.notNull().check(sql`term > 0`))
        .addColumn('session_id', name),
    ),
    schema.createIndex(`${namespace}lease_session_id`).ifNotExists().on('lease').column('session_id').compile(),
    finish(
      dialect,
      schema
        .createTable('contender')
        .ifNotExists()
        .addColumn('session_id', name, (column) => column.notNull())
        .addColumn('group_id', name, (column) => column.notNull())
        .addPrimaryKeyConstraint(`${namespace}contender_key`, ['session_id', 'group_id']),
    ),
    schema.createIndex(`${namespace}contender_group_id`).ifNotExists().on('contender').column('group_id').compile(),
  ];
}

function terms(dialect: SchemaDialect, namespace: string): readonly CompiledQuery[] {
  const name = dialect.nameType as Expression<string>;
  const integer = dialect.integerType as Expression<number>;
  return [
    finish(
      dialect,
      dialect.db.schema
        .createTable('term')
        .ifNotExists()
        .addColumn('group_id', name, (column) => column.notNull())
        .addColumn('term', integer, (column) => column.notNull())
        .addColumn('session_id', name, (column) => column.notNull())
        .addColumn('member_id', name, (column) => column.notNull())
        .addColumn('began_at_ms', integer, (column) => column.notNull())
        .addColumn('ended_at_ms', integer)
        .addColumn('end_reason', name)
        .addColumn('resign', integer, (column) => column.notNull().defaultTo(0))
        .addPrimaryKeyConstraint(`${namespace}term_key`, ['group_id', 'term']),
    ),
  ];
}

function jobs(dialect: SchemaDialect, namespace: string): readonly CompiledQuery[] {
  const name = dialect.nameType as Expression<string>;
  const integer = dialect.integerType as Expression<number>;
  return [
    finish(
      dialect,
      dialect.db.schema
        .createTable('job')
        .ifNotExists()
        .addColumn('group_id', name, (column) => column.notNull())
        .addColumn('job_id', name, (column) => column.notNull())
        .addColumn('version', integer, (column) => column.notNull())
        .addColumn('write_id', name, (column) => column.notNull())
        .addColumn('term', integer, (column) => column.notNull())
        .addColumn('record', dialect.textType as Expression<string>, (column) => column.notNull())
        .addPrimaryKeyConstraint(`${namespace}job_key`, ['group_id', 'job_id']),
    ),
  ];
}

function finish<T extends string>(dialect: SchemaDialect, table: CreateTableBuilder<T, string>): CompiledQuery {
  return (dialect.finishTable?.(table) ?? table).compile();
}
