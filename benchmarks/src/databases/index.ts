import type { BenchDatabase } from './bench-database.js';

/** Every database by name. Loaded and started when it is asked for. */
const databases = {
  postgres: async () => await (await import('./postgres.js')).startPostgres(),
  mysql: async () => await (await import('./mysql.js')).startMysql('mysql'),
  mariadb: async () => await (await import('./mysql.js')).startMysql('mariadb'),
  sqlite: async () => (await import('./sqlite.js')).startSqlite(),
} satisfies Readonly<Record<string, () => Promise<BenchDatabase | string>>>;

export type DatabaseName = keyof typeof databases;

export const databaseNames: readonly DatabaseName[] = Object.keys(databases) as DatabaseName[];

export function isDatabaseName(name: string): name is DatabaseName {
  return Object.hasOwn(databases, name);
}

/** Starts a database, or finds the one that is given; a text says why there is none. */
export async function startDatabase(name: DatabaseName): Promise<BenchDatabase | string> {
  return await databases[name]();
}
