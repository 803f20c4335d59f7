import { installedPrograms, startInstalledServer, startPgbouncer, startPostgresStandby, startPrivateInstance } from '@wb/test-servers';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { emptyMysqlDatabase, emptyPostgresDatabase, emptySqliteDatabase, type EmptyDatabase } from './cli/empty-database.js';
import { until } from './cli/run-lab.js';
import { WB, wb } from './cli/wb-command.js';
import { describeServer } from './servers/describe-server.js';

const NO_FAKETIME = 'libfaketime is not installed: Debian has it in faketime';
const QUICK = ['--for', '0.5'];
const LIBFAKETIME = libfaketime();

interface Report {
  readonly problemCount: number;
  readonly findings: readonly { readonly topic: string; readonly state: string; readonly summary: string; readonly advice?: string }[];
  readonly roundTrip: { readonly p50Ms: number; readonly p99Ms: number } | null;
  readonly heartbeat: { readonly p50Ms: number } | null;
  readonly clock: { readonly aheadMs: number };
  readonly recommendation: { readonly timings: { readonly ttlMs: number }; readonly meaning: { readonly survivedByRunMs: number } } | null;
}

function examine(url: string, ...options: readonly string[]): Report & { readonly status: number | null } {
  const { status, stdout, stderr } = wb(['doctor', '--json', '--store', url, ...QUICK, ...options]);
  if (stdout === '') throw new Error(stderr);
  return { status, ...(JSON.parse(stdout) as Report) };
}

function findingOf({ findings }: Report, topic: string): Report['findings'][number] {
  return findings.find((finding) => finding.topic === topic)!;
}

const ALL = [
  'version',
  'migration',
  'permissions',
  'replication',
  'durability',
  'collation',
  'isolation',
  'pooler',
  'hints',
  'clock',
  'round-trip',
];

/** Everything that is the same on every database. */
function tests(database: () => EmptyDatabase): void {
  it('says that the tables are not there, and is well when they are', () => {
    const before = examine(database().url);
    expect([before.status, before.problemCount, before.heartbeat]).toEqual([1, 1, null]);
    expect(findingOf(before, 'migration')).toMatchObject({ state: 'problem', advice: expect.stringContaining('wb migrate') as string });
    wb(['migrate', '--store', database().url]);
    const after = examine(database().url, '--survive', '30', '--ttl', '60');
    expect([after.status, after.problemCount]).toEqual([0, 0]);
    expect(after.findings.map(({ topic }) => topic)).toEqual(expect.arrayContaining([...ALL, 'timings']));
    expect(after.recommendation!.meaning.survivedByRunMs).toBeGreaterThanOrEqual(30_000);
    expect(after.heartbeat!.p50Ms).toBeGreaterThan(0);
    expect(wb(['members', '--store', database().url, '--json']).stdout).toBe('[]\n');
    const text = wb(['doctor', '--store', database().url, ...QUICK]);
    expect(text).toMatchObject({ status: 0, stderr: '' });
    expect(text.stdout).toMatch(/^CHECK +STATE +FOUND\nversion +ok +\S+ /);
    expect(text.stdout).toMatch(/\nrecommended: --ttl \d+ --heartbeat \d+ .*\n(?: {2}.*\n){4}\nno problem was found\n$/);
  });
}

function testWrongClock(database: () => EmptyDatabase): void {
  it('says that a clock is wrong', (context) => {
    if (LIBFAKETIME === null) return context.skip(NO_FAKETIME);
    wb(['migrate', '--store', database().url]);
    const args = ['doctor', '--json', '--store', database().url, ...QUICK];
    const result = wb(args, { LD_PRELOAD: LIBFAKETIME, FAKETIME: '+1h', FAKETIME_DONT_FAKE_MONOTONIC: '1' });
    expect(result.status).toBe(1);
    const report = JSON.parse(result.stdout) as Report;
    expect(findingOf(report, 'clock')).toMatchObject({
      state: 'problem',
      summary: expect.stringMatching(/60 min behind .* one of them is wrong/) as string,
    });
    expect(report.clock.aheadMs / 3_600_000).toBeCloseTo(-1, 2);
    // Nothing else is: clients' clocks do not matter.
    expect(report.problemCount).toBe(1);
  });
}

/** A role that may do too little: what the doctor says is what makes it well. */
function testGrants(database: () => EmptyDatabase, prepare: (name: string) => string, cleanUp: (name: string) => string): void {
  it('names the rights that are missing, and the statements that give them', async () => {
    const { url } = database();
    const name = `wb_poor_${process.pid}`;
    wb(['migrate', '--store', url]);
    await database().runScript(prepare(name));
    try {
      const own = new URL(url);
      [own.username, own.password] = [name, 'secret'];
      const poor = examine(own.href);
      expect([poor.status, poor.problemCount]).toEqual([1, 1]);
      const { state, summary, advice } = findingOf(poor, 'permissions');
      expect([state, summary]).toEqual(['problem', expect.stringMatching(/lacks .*delete.* on .*wb_lease/)]);
      expect(summary).toMatch(/select, insert, update, delete on .*wb_term/);
      await database().runScript(advice!);
      expect(examine(own.href)).toMatchObject({ status: 0, problemCount: 0 });
    } finally {
      await database().runScript(cleanUp(name));
    }
  });
}

describe('sqlite: wb doctor', () => {
  const database = opened(emptySqliteDatabase);
  tests(database);
});

describeServer('postgres', 'wb doctor', ({ url }) => {
  const database = opened(() => emptyPostgresDatabase(url));
  tests(database);
  testWrongClock(database);
  testGrants(
    database,
    (name) => `create role ${name} login password 'secret';
      revoke usage on schema public from public;
      grant select on wb_migration to ${name}; grant select, insert, update, delete on wb_session, wb_contender to ${name};
      grant select, insert, update on wb_lease to ${name};`,
    (name) => `drop owned by ${name}; drop role ${name};`,
  );

  it('says that a server is read-only', () => {
    const report = examine(`${database().url}?options=-c%20default_transaction_read_only%3Don`);
    expect([report.status, report.findings]).toMatchObject([
      1,
      [{ topic: 'access', state: 'problem', summary: expect.stringContaining('is read-only') as string }],
    ]);
  });

  it('sees a pooler in transaction mode that the store was not told of', async (context) => {
    const pgbouncer = await startPgbouncer(database().url);
    if (pgbouncer === null) {
      context.skip('pgbouncer is not installed: Debian has a package of that name');
      return;
    }
    try {
      wb(['migrate', '--store', database().url]);
      expect(findingOf(examine(pgbouncer.url), 'pooler')).toMatchObject({
        state: 'problem',
        summary: expect.stringContaining('transaction mode') as string,
      });
      const told = examine(pgbouncer.url, '--pooler');
      expect([told.status, findingOf(told, 'pooler').state]).toEqual([0, 'ok']);
    } finally {
      await pgbouncer.stop();
    }
  });
});

describe('wb doctor on a server with a standby', () => {
  it('tells asynchronous from synchronous replication, and a primary from a standby', async (context) => {
    const primary = await startInstalledServer('postgres');
    if (primary === null) {
      context.skip('PostgreSQL is not installed');
      return;
    }
    const standby = (await startPostgresStandby(primary.url))!;
    try {
      wb(['migrate', '--store', primary.url]);
      const replication = (): Report['findings'][number] => findingOf(examine(primary.url), 'replication');
      expect(replication()).toMatchObject({
        state: 'note',
        summary: expect.stringMatching(/standbys: 1, all asynchronous.*\(T6\)/) as string,
      });
      const admin = new pg.Client({ connectionString: primary.url });
      await admin.connect();
      const set = async (names: string): Promise<void> => {
        await admin.query(`alter system set synchronous_standby_names = '${names}'`);
        await admin.query('select pg_reload_conf()');
        const current = async (): Promise<string> =>
          (await admin.query<{ names: string }>(`select current_setting('synchronous_standby_names') as names`)).rows[0]!.names;
        await expect.poll(current, { timeout: 20_000 }).toBe(names);
      };
      await set('*');
      expect(replication()).toMatchObject({ state: 'ok', summary: expect.stringContaining('synchronous_standby_names is "*"') as string });
      await set('');
      await admin.end();
      const below = examine(standby.url);
      expect([below.status, below.findings]).toMatchObject([
        1,
        [{ topic: 'access', summary: expect.stringContaining('is read-only (a standby') as string }],
      ]);
    } finally {
      await standby.stop();
      await primary.stop();
    }
  });
});

describe('wb doctor on a server with a wrong clock', () => {
  it('says how wrong it is, and that it was set', async (context) => {
    const programs = installedPrograms('postgres');
    if (programs === null || LIBFAKETIME === null) {
      context.skip(LIBFAKETIME === null ? NO_FAKETIME : 'PostgreSQL is not installed');
      return;
    }
    let offset = '';
    const server = await startPrivateInstance({
      ...programs,
      serve: (place) => {
        offset = join(place.folder, 'clock');
        writeFileSync(offset, '-18000\n', { mode: 0o644 });
        const faketime = [`LD_PRELOAD=${LIBFAKETIME}`, `FAKETIME_TIMESTAMP_FILE=${offset}`, 'FAKETIME_NO_CACHE=1', 'NO_FAKE_STAT=1'];
        return ['env', ...faketime, 'FAKETIME_DONT_FAKE_MONOTONIC=1', ...programs.serve(place)];
      },
    });
    try {
      wb(['migrate', '--store', server.url]);
      const wrong = findingOf(examine(server.url), 'clock');
      expect(wrong).toMatchObject({ state: 'problem', summary: expect.stringContaining('5 h behind') as string });
      const doctor = spawn(process.execPath, [WB, 'doctor', '--json', '--store', server.url, '--for', '6'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let output = '';
      doctor.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
      const ended = once(doctor, 'close');
      await until(() => wb(['members', '--store', server.url]).stdout.includes('wb-doctor'));
      writeFileSync(`${offset}.next`, '+0\n', { mode: 0o644 });
      renameSync(`${offset}.next`, offset);
      await ended;
      const set = (JSON.parse(output) as Report).findings.filter(({ topic }) => topic === 'clock');
      expect(set[0]).toMatchObject({
        state: 'problem',
        summary: expect.stringMatching(/was set while it was watched, by \+5 h:/) as string,
      });
    } finally {
      await server.stop();
    }
  });
});

// The oldest versions that are supported, as far as they differ: what the doctor asks them, and how it reads the answers.
describeServer('postgres-older', 'wb doctor', ({ url }) => tests(opened(() => emptyPostgresDatabase(url))));
describeServer('mariadb-older', 'wb doctor', ({ url }) => tests(opened(() => emptyMysqlDatabase(url))));

for (const flavor of ['mysql', 'mariadb'] as const) {
  describeServer(flavor, 'wb doctor', ({ url }) => {
    const database = opened(() => emptyMysqlDatabase(url));
    tests(database);
    testWrongClock(database);
    const onEveryHost = (name: string, sql: (account: string) => string): string =>
      ['%', 'localhost'].map((host) => sql(`'${name}'@'${host}'`)).join('\n');
    testGrants(
      database,
      (name) =>
        onEveryHost(
          name,
          (account) => `create user ${account} identified by 'secret';
            grant select on wb_migration to ${account}; grant select, insert, update, delete on wb_session to ${account};
            grant select, insert, update, delete on wb_contender to ${account}; grant select, insert, update on wb_lease to ${account};`,
        ),
      (name) => onEveryHost(name, (account) => `drop user ${account};`),
    );
  });
}

/** The library, in the folder of this machine's architecture. */
function libfaketime(): string | null {
  const folders = readdirSync('/usr/lib').map((name) => join('/usr/lib', name));
  return folders.map((folder) => join(folder, 'faketime', 'libfaketimeMT.so.1')).find((path) => existsSync(path)) ?? null;
}

/** A database of its own for each test. */
function opened(open: () => Promise<EmptyDatabase>): () => EmptyDatabase {
  let database: EmptyDatabase | null = null;
  beforeEach(async () => {
    database = await open();
  });
  afterEach(async () => {
    await database?.drop();
    database = null;
  });
  return () => database!;
}
