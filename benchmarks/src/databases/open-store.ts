import type { LeaseStore } from '@wb/core';
import { mysqlLeaseStore } from '@wb/mysql';
import { postgresLeaseStore } from '@wb/postgres';
import { sqliteLeaseStore } from '@wb/sqlite';

/** The store at a URL of {@link BenchDatabase.url}, in this process or another. */
export function openStore(url: string, namespace: string, connections: number): LeaseStore {
  const [scheme] = url.split(':');
  switch (scheme) {
    case 'postgres':
    case 'postgresql':
      return postgresLeaseStore({ config: { connectionString: url, max: connections }, namespace });
    case 'sqlite':
      return sqliteLeaseStore({ filename: url.slice('sqlite:'.length), namespace });
    default:
      return mysqlLeaseStore({ poolOptions: { uri: url, connectionLimit: connections }, namespace });
  }
}
