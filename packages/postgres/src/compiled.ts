import { statement, type SqlArguments, type SqlParameters, type SqlStatement, type WbTables } from '@wb/sql';
import type { Kysely, RawBuilder } from 'kysely';

/** A statement written as SQL, compiled once. See `statement` of `@wb/sql`. */
export function compiled<Args extends SqlArguments, Row>(
  db: Kysely<WbTables>,
  build: (parameters: SqlParameters<Args>) => RawBuilder<unknown>,
): SqlStatement<Args, Row> {
  return statement<Args, Row>((parameters) => ({ compile: () => (build(parameters) as RawBuilder<Row>).compile(db) }));
}
