import { compilingKysely, type SchemaDialect } from '@wb/sql';
import { PostgresAdapter, PostgresQueryCompiler, sql, WithSchemaPlugin } from 'kysely';

/** What PostgreSQL says about the tables. */
export function postgresSchema(schema: string, namespace: string): SchemaDialect {
  const dialect = { createAdapter: () => new PostgresAdapter(), createQueryCompiler: () => new PostgresQueryCompiler() };
  return Object.freeze({
    // As a plugin at the end: `withSchema` puts it in front, where the namespace would take the schema away again.
    db: compilingKysely(dialect, namespace).withPlugin(new WithSchemaPlugin(schema)),
    // Byte by byte (F7), in sorting, too: locks are taken in one order on every server, whatever its locale.
    // The length is checked at the door: `varchar(255)` would count bytes in a database without an encoding.
    nameType: sql`text collate "C"`,
    integerType: sql`bigint`,
    textType: sql`text`,
  } satisfies SchemaDialect);
}
