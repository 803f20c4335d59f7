import { FencedError, type FenceLease } from '@wb/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mysqlLibraries, postgresLibraries } from './fences/fence-libraries.js';
import type { FenceLibrary, FenceSession, FencingStore, Isolation } from './fences/fence-session.js';
import { describeServer } from './servers/describe-server.js';
import { MysqlLab } from './servers/mysql-lab.js';
import { PostgresBench, waitsOrSettles } from './servers/postgres-bench.js';

/** A namespace on a server. */
interface Place extends AsyncDisposable {
  readonly store: FencingStore;
  /** The user's table, as SQL. */
  readonly table: string;
  query(sql: string): Promise<readonly { readonly n: unknown }[]>;
  /** A takeover by hand that is not committed yet. */
  beginTakeover(): Promise<{ commit(): Promise<unknown> }>;
  /** Whether a call waits for a row; or it settles without. */
  waits(call: Promise<unknown>): Promise<boolean>;
}

const WAITING = "select count(*) as n from information_schema.innodb_trx where trx_state = 'LOCK WAIT'";
const TAKEOVER = "set term = 2, session_id = 'rival' where group_id = 'group'";

async function postgresPlace(url: string): Promise<Place> {
  const bench = new PostgresBench(url);
  const store = (await bench.migrated()) as FencingStore;
  const client = await bench.client();
  return {
    store,
    table: `"${bench.namespace}note"`,
    query: async (sql) => (await client.query<{ n: unknown }>(sql)).rows,
    beginTakeover: async () => {
      const rival = await bench.client();
      await rival.query(`begin; update ${bench.table('lease')} ${TAKEOVER}`);
      return { commit: () => rival.query('commit') };
    },
    waits: (call) => waitsOrSettles(client, call),
    [Symbol.asyncDispose]: () => bench[Symbol.asyncDispose](),
  };
}

async function mysqlPlace(url: string): Promise<Place> {
  const lab = new MysqlLab(url);
  const store = (await lab.store()) as FencingStore;
  const connection = await lab.connection();
  const table = lab.table('note');
  return {
    store,
    table,
    query: async (sql) => (await connection.query(sql))[0] as { n: unknown }[],
    beginTakeover: async () => {
      const rival = await lab.connection();
      await rival.query(`start transaction; update ${lab.table('lease')} ${TAKEOVER}`);
      return { commit: () => rival.query('commit') };
    },
    waits: async (call) => {
      let isSettled = false;
      void call.finally(() => (isSettled = true));
      await lab.until(WAITING, (n) => n > 0 || isSettled);
      return !isSettled;
    },
    [Symbol.asyncDispose]: async () => {
      await connection.query(`drop table if exists ${table}`);
      await lab.end();
    },
  };
}

function fences(url: string, openPlace: (url: string) => Promise<Place>, libraries: readonly FenceLibrary[]): void {
  let place: Place;
  let ends: (() => Promise<unknown>)[];
  const lease: FenceLease = { groupId: 'group', term: 1, sessionId: 'leader' };
  const insert = (n: number): string => `insert into ${place.table} values (${n})`;
  const notes = async (): Promise<readonly number[]> =>
    (await place.query(`select n from ${place.table} order by n`)).map(({ n }) => Number(n));
  const claim = async (): Promise<string> => {
    const [result] = await place.store.claim('rival', ['group']);
    return result!.kind === 'refused' ? result!.reason : result!.kind;
  };
  const takeOver = async (): Promise<void> => {
    await place.store.closeSession('leader');
    expect(await claim()).toBe('granted');
  };

  beforeEach(async () => {
    ends = [];
    place = await openPlace(url);
    for (const sessionId of ['leader', 'rival']) await place.store.openSession({ sessionId, memberId: 'm', ttlMs: 600_000 });
    await place.store.claim('leader', ['group']);
    await place.query(`create table ${place.table} (n integer)`);
  });
  afterEach(async () => {
    for (const end of ends.toReversed()) await end();
    await place[Symbol.asyncDispose]();
  });

  describe.each(libraries)('in $name', (library) => {
    const open = (): Promise<FenceSession> => library.open(url, (end) => ends.push(end));

    it('L6: a transaction commits while its lease stands, and until then holds a takeover back: that alone, and no heartbeat', async () => {
      const session = await open();
      await session.begin('read committed');
      await session.run(insert(1));
      await session.fence(place.store, lease);
      expect(await place.store.heartbeat({ sessionId: 'leader', holders: [] })).toMatchObject({ alive: true });
      await place.store.closeSession('leader');
      expect(await claim()).toBe('busy');
      await session.commit();
      expect(await claim()).toBe('granted');
      expect(await notes()).toEqual([1]);
    });

    it('L6: a stale lease is refused, and whoever passes over that commits nothing', async () => {
      await takeOver();
      const session = await open();
      await session.begin('read committed');
      await session.run(insert(1));
      const refusal = await session.fence(place.store, lease).catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(FencedError);
      expect(String(refusal)).toContain(library.endsItself ? 'its transaction must not be committed' : 'nothing was written');
      await (library.endsItself ? session.rollBack() : session.commit());
      expect(await notes()).toEqual([]);
      expect(await place.store.heartbeat({ sessionId: 'rival', holders: [] })).toMatchObject({ alive: true });
    });

    it.each<Isolation>(['read committed', 'repeatable read'])(
      'L6: at %s, a takeover after the transaction has begun and read is found',
      async (isolation) => {
        const session = await open();
        await session.begin(isolation);
        await session.run(`select n from ${place.table}`);
        await takeOver();
        await session.run(insert(1));
        await expect(session.fence(place.store, lease)).rejects.toBeInstanceOf(FencedError);
        await session.rollBack();
        expect(await notes()).toEqual([]);
      },
    );

    it('L6: a takeover that is under way is waited for, and found', async () => {
      const session = await open();
      await session.begin('read committed');
      await session.run(insert(1));
      const takeover = await place.beginTakeover();
      const fenced = session.fence(place.store, lease).catch((error: unknown) => error);
      expect(await place.waits(fenced)).toBe(true);
      await takeover.commit();
      expect(await fenced).toBeInstanceOf(FencedError);
      await session.rollBack();
      expect(await notes()).toEqual([]);
    });

    it('is refused outside of a transaction', async () => {
      const session = await open();
      await session.run(insert(1));
      await expect(session.fence(place.store, lease)).rejects.toMatchObject({ code: 'INVALID_OPTION', field: 'executor' });
    });
  });
}

describeServer('postgres', 'fences in transactions of the user’s', ({ url }) => fences(url, postgresPlace, postgresLibraries));
describeServer('postgres-older', 'fences in transactions of the user’s', ({ url }) => fences(url, postgresPlace, postgresLibraries));
describeServer('mysql', 'fences in transactions of the user’s', ({ url }) => fences(url, mysqlPlace, mysqlLibraries));
describeServer('mariadb', 'fences in transactions of the user’s', ({ url }) => fences(url, mysqlPlace, mysqlLibraries));
