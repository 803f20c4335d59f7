import { DummyDriver, Kysely, sql, type Compilable, type Dialect, type RawBuilder } from 'kysely';
import { NamespacePlugin } from './namespace.js';
import type { WbTables } from './tables.js';

/** What a parameter of a statement may be. */
export type SqlValue = string | number | null;

/** The parameters of a statement, by name. */
export type SqlArguments = Readonly<Record<string, SqlValue>>;

/** A statement that was compiled once: its text and what to bind, in order. `Row` is what it returns. */
export interface SqlStatement<Args extends SqlArguments, Row> {
  readonly sql: string;
  /** The values to bind, in the order of the placeholders. */
  readonly bind: (args: Args) => SqlValue[];
  /** Only a type: never set. */
  readonly row?: Row;
}

/** A placeholder for each argument of a statement, to be used wherever kysely takes an expression. */
export type SqlParameters<Args extends SqlArguments> = { readonly [Name in keyof Args]: RawBuilder<Args[Name]> };

class Parameter {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/**
 * Compiles a query once, with named parameters: building a query costs far more than running it, so nothing builds one per call. The type that it is assigned
 * to says what it takes and returns: `const one: SqlStatement<{ id: string }, { term: number }> = statement((p) => db.selectFrom(…).where('group_id', '=', p.id))`.
 */
export function statement<Args extends SqlArguments, Row>(
  build: (parameters: SqlParameters<Args>) => Compilable<Row>,
): SqlStatement<Args, Row> {
  const parameters = new Proxy({} as SqlParameters<Args>, {
    get: (_target, name) => sql`${new Parameter(String(name))}`,
  });
  const compiled = build(parameters).compile();
  const slots = compiled.parameters;
  return Object.freeze({
    sql: compiled.sql,
    bind: (args: Args): SqlValue[] => slots.map((slot) => (slot instanceof Parameter ? args[slot.name]! : (slot as SqlValue))),
  });
}

/** A kysely that compiles for a database and never talks to one. Table names get the namespace in front. */
export function compilingKysely(dialect: Pick<Dialect, 'createAdapter' | 'createQueryCompiler'>, namespace: string): Kysely<WbTables> {
  return new Kysely<WbTables>({
    dialect: {
      createAdapter: () => dialect.createAdapter(),
      createQueryCompiler: () => dialect.createQueryCompiler(),
      createDriver: () => new DummyDriver(),
      createIntrospector: () => {
        throw new Error('a kysely that only compiles cannot look into a database');
      },
    },
    plugins: [new NamespacePlugin(namespace)],
  });
}
