import { FencedError, type FenceLease, type LeaseStore } from '@wb/core';
import { mysqlLeaseStore } from '@wb/mysql';
import { postgresLeaseStore } from '@wb/postgres';
import { sqliteLeaseStore } from '@wb/sqlite';
import Database from 'better-sqlite3';
import { createConnection } from 'mysql2/promise';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FenceSource } from '../src/fence-source.js';
import { mysqlLibraries, postgresLibraries, sqliteLibraries, WAIT_TIMEOUT_SECONDS, type Libraries, type Library } from './libraries.js';

/** A database with a store and a table. */
interface Place {
  readonly url: string;
  readonly store: LeaseStore & FenceSource;
  /** Those of a statement with two parameters, whole numbers. */
  readonly placeholders: readonly [string, string];
  /** What makes a statement return rows, as a fence does; empty where there is nothing. */
  readonly returning: string;
  query(sql: string): Promise<readonly object[]>;
  close(): Promise<void>;
}

const namespace = `recipes${randomBytes(4).toString('hex')}_`;
const table = `${namespace}invoice`;
/** All that `migrate()` has made. */
const STORE_TABLES = ['contender', 'job', 'lease', 'migration', 'session', 'term'].map((name) => namespace + name);

async function postgresPlace(url: string): Promise<Place> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return {
    url,
    store: postgresLeaseStore({ connectionString: url, namespace }),
    placeholders: ['$1::int', '$2::int'],
    returning: ' returning id',
    query: async (sql) => (await client.query<object>(sql)).rows,
    close: () => client.end(),
  };
}

async function mysqlPlace(url: string): Promise<Place> {
  const connection = await createConnection(url);
  return {
    url,
    store: mysqlLeaseStore({ connectionString: url, namespace, hints: false }),
    placeholders: ['?', '?'],
    returning: '',
    query: async (sql) => (await connection.query(sql))[0] as object[],
    close: () => connection.end(),
  };
}

function sqlitePlace(): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'wb-recipes-'));
  const url = join(folder, 'app.db');
  const store = sqliteLeaseStore({ filename: url, namespace });
  const database = new Database(url);
  return Promise.resolve({
    url,
    store,
    placeholders: ['?', '?'],
    returning: ' returning id',
    query: async (sql) => {
      const statement = database.prepare(sql);
      return Promise.resolve(statement.reader ? (statement.all() as object[]) : [statement.run()]);
    },
    close: async () => {
      database.close();
      rmSync(folder, { recursive: true, force: true });
      await Promise.resolve();
    },
  });
}

interface Traits {
  readonly isOneWriter?: boolean;
  /** Whether the user has to set how long the server keeps a client that says nothing in a transaction: elsewhere the fence sees to it. */
  readonly hasWaitTimeout?: boolean;
}

function recipes(libraries: Libraries, open: () => Promise<Place>, { isOneWriter = false, hasWaitTimeout = false }: Traits = {}): void {
  let place: Place;
  let sessions = 0;

  beforeAll(async () => {
    place = await open();
    await place.store.migrate();
    await place.query(`create table ${table} (id integer primary key, term integer not null)`);
  });
  afterAll(async () => {
    await place.store.close();
    for (const name of [table, ...STORE_TABLES]) await place.query(`drop table if exists ${name}`);
    await place.close();
  });

  /** A lease of a new session, on a group that is free. */
  const claim = async (groupId: string): Promise<FenceLease> => {
    const sessionId = `session ${(sessions += 1)}`;
    await place.store.openSession({ sessionId, memberId: sessionId, ttlMs: 600_000 });
    const [result] = await place.store.claim(sessionId, [groupId]);
    if (result?.kind !== 'granted') throw new Error(`not granted: ${JSON.stringify(result)}`);
    return { groupId, sessionId, term: result.term };
  };
  const takeOver = async (lease: FenceLease): Promise<FenceLease> => {
    await place.store.closeSession(lease.sessionId);
    return await claim(lease.groupId);
  };
  const written = async (id: number): Promise<number> => (await place.query(`select id from ${table} where id = ${id}`)).length;

  let id = 0;
  for (const [name, connect] of Object.entries(libraries)) {
    describe(`in ${name}`, () => {
      let library: Library;
      beforeAll(async () => {
        library = await connect(place.url, table);
      });
      afterAll(() => library.close());

      it('commits while the lease stands', async () => {
        const own = (id += 1);
        const lease = await claim(`${name} stands`);
        await library.fenced(place.store, lease, (trx) => trx.insert(own, lease.term));
        expect(await written(own)).toBe(1);
      });

      it('writes nothing after a takeover, and the refusal is a FencedError', async () => {
        const own = (id += 1);
        const lease = await claim(`${name} stale`);
        const later = await takeOver(lease);
        const refusal = await library.fenced(place.store, lease, (trx) => trx.insert(own, lease.term)).catch((error: unknown) => error);
        expect(refusal).toBeInstanceOf(FencedError);
        expect(refusal).toMatchObject({ code: 'FENCED', groupId: lease.groupId, term: 1 });
        expect(await written(own)).toBe(0);
        await library.fenced(place.store, later, (trx) => trx.insert(own, later.term));
        expect(await written(own)).toBe(1);
      });

      it('hands other errors on as they are', async () => {
        const own = (id += 1);
        const lease = await claim(`${name} fails`);
        await library.fenced(place.store, lease, (trx) => trx.insert(own, 1));
        const failure = await library.fenced(place.store, lease, (trx) => trx.insert(own, 1)).catch((error: unknown) => error);
        expect(failure).toBeInstanceOf(Error);
        expect(failure).not.toBeInstanceOf(FencedError);
      });

      it('runs the statement in the transaction, as the last one, with its parameters', async () => {
        const own = (id += 1);
        const lease = await claim(`${name} probe`);
        const [first, second] = place.placeholders;
        // Copies a row that nobody else sees yet.
        const probe = `insert into ${table} (id, term) select ${first} + id, ${second} from ${table} where id = ${own}${place.returning}`;
        const source: FenceSource = {
          fenceStatement: () => ({ sql: probe, parameters: [1_000, 77] }),
          fencedErrorOf: () => null,
        };
        await library.fenced(source, lease, (trx) => trx.insert(own, lease.term));
        expect(await place.query(`select id, term from ${table} where id = ${own + 1_000}`)).toEqual([{ id: own + 1_000, term: 77 }]);
      });

      if (hasWaitTimeout) {
        it('has a limit for a client that freezes after its fence', async () => {
          const own = (id += 1);
          const probe = `insert into ${table} (id, term) values (?, @@session.wait_timeout + ?)`;
          const source: FenceSource = { fenceStatement: () => ({ sql: probe, parameters: [own + 1_000, 0] }), fencedErrorOf: () => null };
          await library.fenced(source, await claim(`${name} silent`), (trx) => trx.insert(own, 1));
          expect(await place.query(`select term from ${table} where id = ${own + 1_000}`)).toEqual([{ term: WAIT_TIMEOUT_SECONDS }]);
        });
      }

      if (isOneWriter) {
        it('has the write lock from its beginning on: nobody else can make what it reads old', async () => {
          const own = (id += 1);
          const lease = await claim(`${name} reads`);
          const other = new Database(place.url, { timeout: 0 });
          const write = other.prepare(`insert into ${table} (id, term) values (${own}, 0)`);
          await library.fenced(place.store, lease, async (trx) => {
            expect(() => write.run()).toThrow('database is locked');
            await trx.insert(own, lease.term);
          });
          expect(await written(own)).toBe(1);
          other.close();
        });
        return;
      }

      it('writes nothing if the takeover comes in the middle of the transaction', async () => {
        const own = (id += 1);
        const lease = await claim(`${name} middle`);
        const refusal = await library
          .fenced(place.store, lease, async (trx) => {
            await trx.insert(own, lease.term);
            await takeOver(lease);
          })
          .catch((error: unknown) => error);
        expect(refusal).toBeInstanceOf(FencedError);
        expect(await written(own)).toBe(0);
      });
    });
  }
}

function onServer(
  kind: 'postgres' | 'mysql' | 'mariadb',
  variable: string,
  libraries: Libraries,
  open: (url: string) => Promise<Place>,
): void {
  const url = process.env[variable];
  describe(`${kind}: recipes`, () => {
    if (url !== undefined && url !== '') return recipes(libraries, () => open(url), { hasWaitTimeout: kind !== 'postgres' });
    it('needs a server', (context) => {
      context.skip(`no ${kind} in this run: ${variable}`);
      expect.unreachable();
    });
  });
}

onServer('postgres', 'WB_TEST_POSTGRES_URL', postgresLibraries, postgresPlace);
onServer('mysql', 'WB_TEST_MYSQL_URL', mysqlLibraries, mysqlPlace);
onServer('mariadb', 'WB_TEST_MARIADB_URL', mysqlLibraries, mysqlPlace);
describe('sqlite: recipes', () => {
  recipes(sqliteLibraries, sqlitePlace, { isOneWriter: true });
});
