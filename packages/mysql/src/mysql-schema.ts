import { compilingKysely, type SchemaDialect } from '@wb/sql';
import { MysqlAdapter, MysqlQueryCompiler, sql, type RawBuilder } from 'kysely';

/** Which of the two servers it is: they differ in the names of collations, and in nothing else that matters here. */
export type ServerFlavor = 'mysql' | 'mariadb';

/** What the server says about itself: `'8.4.3'`, `'11.4.2-MariaDB-ubu2404'`. */
export function flavorOf(version: string): ServerFlavor {
  return /mariadb/i.test(version) ? 'mariadb' : 'mysql';
}

/** What MySQL or MariaDB says about the tables. */
export function mysqlSchema(namespace: string, flavor: ServerFlavor): SchemaDialect {
  const collation = flavor === 'mysql' ? 'utf8mb4_0900_bin' : 'utf8mb4_nopad_bin';
  const text = (type: string): RawBuilder<unknown> => sql.raw(`${type} character set utf8mb4 collate ${collation}`);
  return Object.freeze({
    db: compilingKysely({ createAdapter: () => new MysqlAdapter(), createQueryCompiler: () => new MysqlQueryCompiler() }, namespace),
    // Compared code point by code point, and trailing blanks count: the other binary collations would pad (F7).
    nameType: text('varchar(255)'),
    integerType: sql`bigint`,
    textType: text('text'),
    // Dynamic: a key of 255 characters of four bytes fits, twice.
    finishTable: (table) =>
      table.modifyEnd(sql.raw(`engine = InnoDB row_format = dynamic default character set utf8mb4 collate ${collation}`)),
  } satisfies SchemaDialect);
}
