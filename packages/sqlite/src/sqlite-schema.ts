import { compilingKysely, type SchemaDialect } from '@wb/sql';
import { sql, SqliteAdapter, SqliteQueryCompiler } from 'kysely';

/** What SQLite says about the tables. */
export function sqliteSchema(namespace: string): SchemaDialect {
  return Object.freeze({
    db: compilingKysely({ createAdapter: () => new SqliteAdapter(), createQueryCompiler: () => new SqliteQueryCompiler() }, namespace),
    // SQLite compares text byte by byte, unless told otherwise (F7).
    nameType: sql`text`,
    integerType: sql`integer`,
    textType: sql`text`,
    // Strict: a wrong type is an error, not a surprise. Without a rowid the key is the table: one tree to search and to write instead of two.
    finishTable: (table) => table.modifyEnd(sql`strict, without rowid`),
  } satisfies SchemaDialect);
}
