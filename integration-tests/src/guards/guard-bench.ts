import { guardStatements as mysqlGuard } from '@wb/mysql';
import { guardStatements as postgresGuard, type GuardOptions, type GuardStatements } from '@wb/postgres';
import { guardStatements as sqliteGuard } from '@wb/sqlite';
import Database from 'better-sqlite3';
import { createConnection } from 'mysql2/promise';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

/** A connection that runs one statement after the other. */
export interface GuardConnection {
  run(sql: string): Promise<void>;
  rows(sql: string): Promise<readonly Record<string, unknown>[]>;
  /** Whether a call of this connection waits for a lock; resolves when it does, or when the call has settled. */
  waits(call: Promise<unknown>): Promise<boolean>;
}

/** A database with tables to be guarded; everything is removed with it. */
export interface GuardBench extends AsyncDisposable {
  readonly guard: (table: string, options?: GuardOptions) => GuardStatements;
  readonly id: (name: string) => string;
  connect(): Promise<GuardConnection>;
  /** A name that no other run uses; the table of that name is dropped at the end, and so is its guard. */
  name(text?: string): string;
}

/** What the benches of the three databases have in common. */
class Names {
  readonly made: string[] = [];
  readonly #run = randomBytes(4).toString('hex');

  name(text = 'invoice'): string {
    const name = `${text}${this.#run}${this.made.length}`;
    this.made.push(name);
    return name;
  }
}

export function postgresGuards(url: string): GuardBench {
  const names = new Names();
  const clients: pg.Client[] = [];
  const id = (name: string): string => `"${name.replaceAll('"', '""')}"`;
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => undefined);
    await client.connect();
    clients.push(client);
    return client;
  };
  return {
    guard: postgresGuard,
    id,
    name: (text) => names.name(text),
    connect: async () => {
      const [client, observer] = [await connect(), await connect()];
      const { rows: me } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
      return {
        run: async (sql) => void (await client.query(sql)),
        rows: async (sql) => (await client.query<Record<string, unknown>>(sql)).rows,
        waits: (call) =>
          untilItWaits(call, async () => {
            const { rows } = await observer.query(`select from pg_stat_activity where pid = ${me[0]!.pid} and wait_event_type = 'Lock'`);
            return rows.length > 0;
          }),
      };
    },
    [Symbol.asyncDispose]: async () => {
      for (const client of clients.splice(0)) await client.end();
      const client = await connect();
      for (const name of names.made) {
        await client.query(`drop table if exists ${id(name)} cascade`);
        for (const sql of postgresGuard(name).remove.filter((text) => !text.startsWith('drop trigger'))) await client.query(sql);
      }
      await client.end();
    },
  };
}

export function mysqlGuards(url: string): GuardBench {
  const names = new Names();
  const connections: Awaited<ReturnType<typeof createConnection>>[] = [];
  const id = (name: string): string => `\`${name.replaceAll('`', '``')}\``;
  const connect = async (): Promise<(typeof connections)[number]> => {
    const connection = await createConnection({ uri: url });
    connections.push(connection);
    return connection;
  };
  return {
    guard: mysqlGuard,
    id,
    name: (text) => names.name(text),
    connect: async () => {
      const [connection, observer] = [await connect(), await connect()];
      const rows = async (sql: string): Promise<Record<string, unknown>[]> => (await connection.query(sql))[0] as Record<string, unknown>[];
      const me = Number((await rows('select connection_id() as id'))[0]!['id']);
      return {
        run: async (sql) => void (await connection.query(sql)),
        rows,
        waits: (call) =>
          untilItWaits(call, async () => {
            // InnoDB renews this view only when nobody has looked at it for 100 ms.
            await new Promise((resolve) => setTimeout(resolve, 110));
            const [found] = await observer.query(
              `select 1 from information_schema.innodb_trx where trx_state = 'LOCK WAIT' and trx_mysql_thread_id = ${me}`,
            );
            return (found as unknown[]).length > 0;
          }),
      };
    },
    [Symbol.asyncDispose]: async () => {
      for (const connection of connections.splice(0)) connection.destroy();
      const connection = await connect();
      for (const name of names.made) {
        for (const sql of mysqlGuard(name).remove) await connection.query(sql);
        await connection.query(`drop table if exists ${id(name)}`);
      }
      await connection.end();
    },
  };
}

/** One file; connections do not wait for its lock. */
export function sqliteGuards(): GuardBench {
  const folder = mkdtempSync(join(tmpdir(), 'wb-guards-'));
  const names = new Names();
  const open: Database.Database[] = [];
  return {
    guard: sqliteGuard,
    id: (name) => `"${name.replaceAll('"', '""')}"`,
    name: (text) => names.name(text),
    connect: () => {
      const database = new Database(join(folder, 'app.db'), { timeout: 0 });
      database.pragma('journal_mode = wal');
      open.push(database);
      const settle = <T>(work: () => T): Promise<T> => Promise.resolve().then(work);
      return Promise.resolve({
        run: (sql) => settle(() => void database.exec(sql)),
        rows: (sql) => settle(() => database.prepare(sql).all() as Record<string, unknown>[]),
        waits: () => Promise.resolve(false),
      });
    },
    [Symbol.asyncDispose]: () => {
      for (const database of open) database.close();
      rmSync(folder, { recursive: true, force: true });
      return Promise.resolve();
    },
  };
}

async function untilItWaits(call: Promise<unknown>, isWaiting: () => Promise<boolean>): Promise<boolean> {
  let isSettled = false;
  const note = (): void => {
    isSettled = true;
  };
  call.then(note, note);
  for (;;) {
    if (await isWaiting()) return true;
    if (isSettled) return false;
  }
}
