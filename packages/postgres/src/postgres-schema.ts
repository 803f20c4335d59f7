import { compilingKysely, type SchemaDialect } from '@wb/sql';
import { PostgresAdapter, PostgresQueryCompiler, sql, WithSchemaPlugin } from 'kysely';

/** What PostgreSQL says about the tables. */
export function postgresSchema(schema: string, namespace: string): SchemaDialect {
  const dialect = { createAdapter: () => new PostgresAdapter(), createQueryCompiler: () => new PostgresQueryCompiler() };
  // As a plugin at the end: `withSchema` puts it in front, where the namespace would take the schema away again.
  const db = compilingKysely(dialect, namespace).withPlugin(new WithSchemaPlugin(schema));
  return Object.freeze({
    db,
    // Byte by byte (F7), in sorting, too: locks are taken in one order on every server, whatever its locale.
    // The length is checked at the door: `varchar(255)` would count bytes in a database without an encoding.
    nameType: sql`text collate "C"`,
    integerType: sql`bigint`,
    textType: sql`text`,
    // Half of each page is left for the versions that heartbeats write: they stay beside the old ones (HOT), and touch no index.
    // The plugins of `db` put no schema before a table in a statement that they do not know.
    tuneSessions: () => [sql`alter table ${sql.id(schema, `${namespace}session`)} set (fillfactor = 50)`.compile(db)],
  } satisfies SchemaDialect);
}
