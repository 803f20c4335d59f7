import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import { startInstalledMariadb, startMysqlServer } from './mysql-server.js';
import { startInstalledPostgres, startPostgres } from './postgres-server.js';

/**
 * Starts every database once for a run, and says which: the tests find them by the environment. Where there are both images and installed programs there are two versions of
 * PostgreSQL and MariaDB.
 */
export default async function setup(): Promise<() => Promise<void>> {
  const stops: (() => Promise<void>)[] = [];
  const lines: string[] = [];

  const isGiven = process.env['WB_TEST_POSTGRES_URL'] !== undefined;
  const postgres = await startPostgres();
  if (typeof postgres === 'string') lines.push(`skipped: ${postgres}`);
  else {
    stops.push(postgres.stop);
    process.env['WB_TEST_POSTGRES_URL'] = postgres.url;
    const version = await postgresVersion(postgres.url);
    lines.push(version);
    const installed = isGiven ? null : await startInstalledPostgres();
    if (installed) {
      stops.push(installed.stop);
      const other = await postgresVersion(installed.url);
      if (other === version) lines.push(`once: ${other} is installed, too`);
      else {
        process.env['WB_TEST_POSTGRES_INSTALLED_URL'] = installed.url;
        lines.push(other);
      }
    }
  }

  const isMariadbGiven = process.env['WB_TEST_MARIADB_URL'] !== undefined;
  for (const flavor of ['mysql', 'mariadb'] as const) {
    const server = await startMysqlServer(flavor);
    if (server.url === null) {
      lines.push(`skipped: ${server.skipReason}`);
      continue;
    }
    stops.push(server.stop);
    const version = await mysqlVersion(server.url);
    lines.push(version);
    const installed = flavor === 'mysql' || isMariadbGiven ? null : await startInstalledMariadb();
    if (!installed) continue;
    stops.push(installed.stop);
    const other = await mysqlVersion(installed.url);
    if (other === version) continue;
    process.env['WB_TEST_MARIADB_INSTALLED_URL'] = installed.url;
    lines.push(other);
  }

  process.stdout.write(`databases of this run:\n${lines.map((line) => `  ${line}\n`).join('')}`);
  return async () => {
    await Promise.all(stops.map((stop) => stop()));
  };
}

async function postgresVersion(connectionString: string): Promise<string> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  const { rows } = await client.query<{ server_version: string }>('show server_version');
  await client.end();
  return `PostgreSQL ${rows[0]!.server_version}`;
}

async function mysqlVersion(uri: string): Promise<string> {
  const connection = await createConnection({ uri });
  const [rows] = await connection.query('select version() as version');
  await connection.end();
  const { version } = (rows as { readonly version: string }[])[0]!;
  return version.includes('MariaDB') ? `MariaDB ${version}` : `MySQL ${version}`;
}
