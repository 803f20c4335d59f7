import Database from 'better-sqlite3';
import { createConnection } from 'mysql2/promise';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

/** A database with nothing in it, and its own shell. */
export interface EmptyDatabase {
  /** For `--store`. */
  readonly url: string;
  /** Runs a script, with the database's shell where it is installed, else with the driver. Rejects if a statement fails. */
  runScript(script: string): Promise<unknown>;
  drop(): Promise<void>;
}

let count = 0;

function nextName(): string {
  count += 1;
  return `wb_cli_${process.pid}_${count}`;
}

/** A file in a folder of its own. */
export function emptySqliteDatabase(): Promise<EmptyDatabase> {
  const folder = mkdtempSync(join(tmpdir(), 'wb-cli-'));
  const file = join(folder, 'wb.db');
  // An empty file is an empty database.
  writeFileSync(file, '');
  return Promise.resolve({
    url: `sqlite:${file}`,
    runScript: (script) =>
      throughShell(['sqlite3', '-bail', file], script, () => {
        const database = new Database(file);
        database.exec(script);
        database.close();
        return Promise.resolve();
      }),
    drop: () => Promise.resolve(rmSync(folder, { recursive: true, force: true })),
  });
}

/** A database of its own on a PostgreSQL server. */
export async function emptyPostgresDatabase(serverUrl: string): Promise<EmptyDatabase> {
  const name = nextName();
  const run = async (connectionString: string, sql: string): Promise<void> => {
    const client = new pg.Client({ connectionString });
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  };
  await run(serverUrl, `create database ${name}`);
  const url = withDatabase(serverUrl, name);
  return {
    url,
    runScript: (script) => throughShell(['psql', '-v', 'ON_ERROR_STOP=1', '-q', url], script, () => run(url, script)),
    drop: () => run(serverUrl, `drop database ${name} with (force)`),
  };
}

/** A database of its own on a MySQL or MariaDB server. */
export async function emptyMysqlDatabase(serverUrl: string): Promise<EmptyDatabase> {
  const name = nextName();
  const run = async (uri: string, sql: string): Promise<void> => {
    const connection = await createConnection({ uri, multipleStatements: true });
    try {
      await connection.query(sql);
    } finally {
      await connection.end();
    }
  };
  await run(serverUrl, `create database ${name}`);
  const url = withDatabase(serverUrl, name);
  return {
    url,
    runScript: (script) => throughShell(mysqlShell(url), script, () => run(url, script)),
    drop: () => run(serverUrl, `drop database ${name}`),
  };
}

/** How the shell of MySQL and MariaDB is called for a database. */
export function mysqlShell(url: string): readonly string[] {
  const { hostname, port, username, password, pathname } = new URL(url);
  const server = [`--host=${hostname}`, `--port=${port}`, `--user=${username}`, `--password=${password}`, '--protocol=tcp'];
  return ['mysql', ...server, pathname.slice(1)];
}

function withDatabase(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

async function throughShell([command, ...args]: readonly string[], input: string, otherwise: () => Promise<void>): Promise<void> {
  const { error, status, stderr } = spawnSync(command!, args, { input, encoding: 'utf8' });
  if (error !== undefined && Reflect.get(error, 'code') === 'ENOENT') await otherwise();
  else if (status !== 0) throw new Error(`${command!} ended with ${status}: ${stderr}`);
}
