import { createConnection, type RowDataPacket } from 'mysql2/promise';
import pg from 'pg';

/** Which server answers at a URL: `PostgreSQL 18.0`, `MySQL 9.7.0`, `MariaDB 11.8.2`. Asked of the server itself, so that nobody takes one for the other. */
export async function serverVersion(url: string): Promise<string> {
  if (url.startsWith('postgres')) return await postgresVersion(url);
  const connection = await createConnection({ uri: url });
  try {
    const [rows] = await connection.query<RowDataPacket[]>('select version() as version');
    const version = String(rows[0]?.['version']);
    // `11.8.2-MariaDB-ubu2404`: what the distribution adds tells nothing.
    const [number] = version.split('-');
    return `${version.includes('MariaDB') ? 'MariaDB' : 'MySQL'} ${number}`;
  } finally {
    await connection.end();
  }
}

async function postgresVersion(connectionString: string): Promise<string> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const { rows } = await client.query<{ server_version: string }>('show server_version');
    return `PostgreSQL ${rows[0]!.server_version.split(' ')[0]}`;
  } finally {
    await client.end();
  }
}
