import type { LeaseStore } from '@wb/core';
import { sqliteLeaseStore } from '@wb/sqlite';
import Database from 'better-sqlite3';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FrozenWriter } from './fences/frozen-writer.js';
import type { FreezePoint, WriterStart } from './fences/writer-messages.js';
import { describeServer } from './servers/describe-server.js';
import { MysqlLab } from './servers/mysql-lab.js';
import { openSession, PostgresBench } from './servers/postgres-bench.js';

const LEASE = { groupId: 'group', term: 1, sessionId: 'leader' };
/** Servers end what was silent for a second here; the rest is for a slow machine. */
const END_MS = 10_000;

interface Place extends AsyncDisposable {
  readonly kind: WriterStart['kind'];
  readonly url: string;
  readonly namespace: string;
  readonly table: string;
  readonly store: LeaseStore;
  readonly count: () => Promise<number>;
}

async function postgresPlace(url: string): Promise<Place> {
  const bench = new PostgresBench(url);
  const store = await bench.migrated();
  const client = await bench.client();
  const table = `"${bench.namespace}note"`;
  await client.query(`create table ${table} (n integer)`);
  return {
    kind: 'postgres',
    url,
    namespace: bench.namespace,
    table,
    store,
    count: async () => Number((await client.query<{ n: string }>(`select count(*) as n from ${table}`)).rows[0]!.n),
    [Symbol.asyncDispose]: () => bench[Symbol.asyncDispose](),
  };
}

async function mysqlPlace(url: string): Promise<Place> {
  const lab = new MysqlLab(url);
  const store = await lab.store();
  const connection = await lab.connection();
  const table = lab.table('note');
  await connection.query(`create table ${table} (n integer)`);
  return {
    kind: 'mysql',
    url,
    namespace: lab.namespace,
    table,
    store,
    count: async () => ((await connection.query(`select count(*) as n from ${table}`))[0] as { n: number }[])[0]!.n,
    [Symbol.asyncDispose]: async () => {
      await connection.query(`drop table ${table}`);
      await lab.end();
    },
  };
}

/** Takes the group over; resolves to what was answered until it was granted. */
async function takeOver(store: LeaseStore): Promise<ReadonlySet<string>> {
  const answers = new Set<string>();
  const endAtMs = performance.now() + END_MS;
  for (;;) {
    const [result] = await store.claim('rival', ['group']);
    const answer = result!.kind === 'refused' ? result!.reason : result!.kind;
    answers.add(answer);
    if (answer === 'granted') return answers;
    expect(performance.now(), `an end of the hold within ${END_MS} ms`).toBeLessThan(endAtMs);
    await new Promise((resolve) => void setTimeout(resolve, 20));
  }
}

/** What came of it. */
interface Outcome {
  /** To the claims of the next leader. */
  readonly answers: readonly string[];
  /** Whether the first has committed when it was thawed. */
  readonly isCommitted: boolean;
  /** How many rows it has written. */
  readonly notes: number;
}

/** A leader freezes at `point`; another one takes over, whatever it takes; the first is thawed, and its write comes to nothing. */
async function freeze(open: () => Promise<Place>, point: FreezePoint): Promise<Outcome> {
  await using place = await open();
  const { store, count, ...start } = place;
  await openSession(store, 'leader', 1_000);
  await openSession(store, 'rival');
  await store.claim('leader', ['group']);
  await using writer = await FrozenWriter.start({ ...start, lease: LEASE, point });
  await store.closeSession('leader');
  const answers = [...(await takeOver(store))];
  const { isCommitted } = await writer.thaw();
  return { answers, isCommitted, notes: await count() };
}

/** Nobody waits: the lease is not locked. */
const NOT_HELD_BACK: Outcome = { answers: ['granted'], isCommitted: false, notes: 0 };
/** The fence is met, until the server ends its transaction. */
const HELD_BACK: Outcome = { answers: ['busy', 'granted'], isCommitted: false, notes: 0 };

describeServer('postgres', 'a leader that freezes', ({ url }) => {
  const open = (): Promise<Place> => postgresPlace(url);
  it.concurrent('T8: after the first look, inside of `fenced`: holds up nobody', async () => {
    expect(await freeze(open, 'looked')).toEqual(NOT_HELD_BACK);
  });
  it.concurrent('T8: between `fence` and the commit: the server ends it with the TTL of its session', async () => {
    expect(await freeze(open, 'fenced')).toEqual(HELD_BACK);
  });
});

for (const server of ['mysql', 'mariadb'] as const) {
  describeServer(server, 'a leader that freezes', ({ url }) => {
    const open = (): Promise<Place> => mysqlPlace(url);
    it.concurrent('T8: after the first look, inside of `fenced`: holds up nobody', async () => {
      expect(await freeze(open, 'looked')).toEqual(NOT_HELD_BACK);
    });
    it.concurrent(
      'T8: between the fence and the commit of a pool that takes one statement at a time: the server ends it after `maxHoldMs`',
      async () => {
        expect(await freeze(open, 'locked')).toEqual(HELD_BACK);
      },
    );
    it.concurrent('T8: between `fence` and the commit: the server ends it after the `wait_timeout` that the user has set', async () => {
      expect(await freeze(open, 'fenced')).toEqual(HELD_BACK);
    });
  });
}

describe('sqlite: a leader that freezes', () => {
  it.concurrent('T8: inside of `fenced`: nobody writes until it is thawed, and then it is rolled back', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'wb-freeze-'));
    const url = join(folder, 'app.db');
    const store = sqliteLeaseStore({ filename: url });
    await store.migrate();
    await openSession(store, 'leader', 4_000);
    await openSession(store, 'rival');
    await store.claim('leader', ['group']);
    const database = new Database(url);
    database.exec('create table note (n integer)');
    const writer = await FrozenWriter.start({ kind: 'sqlite', url, namespace: 'wb_', table: 'note', lease: LEASE, point: 'looked' });
    const fault = await store
      .heartbeat({ sessionId: 'rival', holders: [] }, { signal: AbortSignal.timeout(700) })
      .catch((error: unknown) => error);
    expect(fault).toMatchObject({ code: 'STORE_TIMEOUT', outcome: 'none' });
    // By now it has lasted longer than it may: 500 ms.
    expect(await writer.thaw()).toMatchObject({ isCommitted: false, code: 'STORE_TIMEOUT' });
    expect(database.prepare('select count(*) from note').pluck().get()).toBe(0);
    await store.closeSession('leader');
    expect([...(await takeOver(store))]).toEqual(['granted']);
    await writer[Symbol.asyncDispose]();
    database.close();
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
});
