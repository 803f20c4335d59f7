import Database from 'better-sqlite3';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { mysqlShell } from './cli/empty-database.js';
import { wb } from './cli/wb-command.js';
import { mysqlGuards, postgresGuards, type GuardBench, type GuardConnection } from './guards/guard-bench.js';
import { describeServer } from './servers/describe-server.js';

const STALE = /wb-guard-stale/;

/** Puts a guard on a table and takes it off again by the command. Returns the rows that are there in the end. */
async function appliesAndRemoves(bench: GuardBench, url: string): Promise<readonly unknown[]> {
  const name = bench.name('my.table');
  const [table, term] = [bench.id(name), bench.id('the term')];
  const connection = await bench.connect();
  await connection.run(`create table ${table} (id integer primary key)`);
  const run = (...options: readonly string[]): ReturnType<typeof wb> =>
    wb(['guard', `"${name}"`, '--column', 'the term', '--store', url, ...options]);
  const insert = (id: number, value: number | null): Promise<void> =>
    connection.run(`insert into ${table} (id, ${term}) values (${id}, ${value})`);

  const printed = run();
  expect(printed.stderr).toBe('');
  expect(printed.stdout).toContain('trigger');
  await expect(insert(1, 1), 'printing changes nothing').rejects.toThrow(/the term/);

  for (let round = 0; round < 2; round += 1) expect(run('--apply')).toMatchObject({ status: 0, stderr: '' });
  await insert(1, 2);
  await expect(insert(2, 1)).rejects.toThrow(STALE);
  expect(run('--remove')).toMatchObject({ status: 0, stderr: '' });
  await expect(insert(2, 1)).rejects.toThrow(STALE);
  for (let round = 0; round < 2; round += 1) expect(run('--remove', '--apply')).toMatchObject({ status: 0, stderr: '' });
  await insert(2, null);
  return (await connection.rows(`select id from ${table} order by id`)).map(({ id }) => id);
}

describeServer('postgres', 'wb guard', ({ url }) => {
  it('prints, applies and removes a guard', async () => {
    await using bench = postgresGuards(url);
    expect(await appliesAndRemoves(bench, url)).toEqual([1, 2]);
  });

  it('prints a script that can be run as it is, and twice', async () => {
    await using bench = postgresGuards(url);
    const name = bench.name();
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      await client.query(`create table ${name} (id integer primary key)`);
      const script = wb(['guard', `public.${name}`, '--store', url]).stdout;
      for (let round = 0; round < 2; round += 1) await client.query(script);
      await client.query(`insert into ${name} values (1, 2)`);
      await expect(client.query(`insert into ${name} values (2, 1)`)).rejects.toThrow(STALE);
    } finally {
      await client.end();
    }
  });

  it('gives up on a table that is in use, instead of holding up everybody behind it', async () => {
    await using bench = postgresGuards(url);
    const name = bench.name();
    const reader = new pg.Client({ connectionString: url });
    await reader.connect();
    try {
      await reader.query(`create table ${name} (id integer primary key)`);
      await reader.query('begin');
      await reader.query(`select from ${name}`);
      const refused = wb(['guard', name, '--apply', '--store', url]);
      expect([refused.status, refused.stderr]).toEqual([125, expect.stringContaining('lock timeout')]);
    } finally {
      await reader.end();
    }
  });

  it('says what is wrong, and leaves nothing behind', async () => {
    await using bench = postgresGuards(url);
    const client: GuardConnection = await bench.connect();
    const missing = bench.name('missing');
    expect(wb(['guard', missing, '--apply', '--store', url])).toMatchObject({
      status: 125,
      stderr: expect.stringContaining('does not exist'),
    });
    expect(await client.rows(`select from pg_class where relname like 'wb_guard_${missing}%'`)).toEqual([]);
    expect(wb(['guard', 'a.b.c', '--apply', '--store', url])).toMatchObject({
      status: 125,
      stderr: expect.stringContaining('"a.b.c" is not the name of a table'),
    });
    expect(wb(['guard', 'x'.repeat(64), '--store', url])).toMatchObject({
      status: 125,
      stderr: expect.stringContaining('must be a name of 1 to 63 bytes; it has 64'),
    });
  });
});

for (const kind of ['mysql', 'mariadb'] as const) {
  describeServer(kind, 'wb guard', ({ url }) => {
    it('prints, applies and removes a guard', async () => {
      await using bench = mysqlGuards(url);
      expect(await appliesAndRemoves(bench, url)).toEqual([1, 2]);
    });

    it("prints a script for the database's own shell", async (context) => {
      await using bench = mysqlGuards(url);
      const name = bench.name();
      const connection = await bench.connect();
      await connection.run(`create table ${name} (id integer primary key)`);
      const script = (...options: readonly string[]): string => wb(['guard', name, '--store', url, ...options]).stdout;
      const insert = (): Promise<void> => connection.run(`insert into ${name} (id, wb_term) values (1, null)`);
      if (!throughMysql(url, script())) context.skip('the shell mysql is not installed');
      await expect(insert()).rejects.toThrow(/wb-guard/);
      throughMysql(url, script('--remove'));
      await insert();
    });
  });
}

/** Whether there is a shell to run it in. */
function throughMysql(url: string, input: string): boolean {
  const [command, ...args] = mysqlShell(url);
  const { error, status, stderr } = spawnSync(command!, args, { input, encoding: 'utf8' });
  if (error !== undefined) return false;
  expect([status, stderr]).toEqual([0, '']);
  return true;
}

describe('sqlite: wb guard', () => {
  it('prints, applies and removes a guard, and says what is missing', () => {
    const folder = mkdtempSync(join(tmpdir(), 'wb-guard-'));
    const file = join(folder, 'app.db');
    try {
      const run = (...options: readonly string[]): ReturnType<typeof wb> =>
        wb(['guard', 'invoice', '--store', `sqlite:${file}`, ...options]);
      expect(run('--apply')).toMatchObject({ status: 125, stderr: expect.stringContaining('there is no SQLite file') });
      expect(existsSync(file)).toBe(false);
      const database = new Database(file);
      expect(run('--apply')).toMatchObject({ status: 125, stderr: expect.stringContaining('there is no table "invoice"') });
      database.exec('create table invoice (id integer primary key)');
      database.exec(run().stdout);
      for (let round = 0; round < 2; round += 1) expect(run('--apply')).toMatchObject({ status: 0, stderr: '' });
      database.exec(run().stdout);
      database.exec('insert into invoice values (1, 2)');
      expect(() => database.exec('insert into invoice values (2, 1)')).toThrow(STALE);
      for (let round = 0; round < 2; round += 1) expect(run('--remove', '--apply')).toMatchObject({ status: 0, stderr: '' });
      database.exec('insert into invoice values (2, null)');
      database.close();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
