import { Verrou, type Lock } from '@verrou/core';
import { knexStore } from '@verrou/core/drivers/knex';
import { kyselyStore } from '@verrou/core/drivers/kysely';
import Database from 'better-sqlite3';
import createKnex from 'knex';
import { Kysely, MysqlDialect, PostgresDialect, SqliteDialect, type Dialect } from 'kysely';
import { createPool } from 'mysql2';
import pg from 'pg';
import { countStatements } from './count-statements.js';
import type { Peer, PeerClient, PeerPlace } from './peer.js';

type Backing = 'postgres' | 'mysql' | 'sqlite';
type Builder = 'kysely' | 'knex';

const CONNECTIONS = 4;

/** The nearest in Node: a lock in a table, over the user's query builder. */
export function verrou(backing: Backing, builder: Builder): Peer {
  return {
    name: `@verrou/core, ${builder}`,
    backing,
    maxGroups: 10_000,
    differences:
      "a lock of one key: no term, no session, no history. Expiry is by the clock of each process (`Date.now()`), so that clocks that differ by more than the TTL let two hold it. Nothing extends it or notices its loss: the user calls `extend()`. A refused attempt is a failed INSERT and an UPDATE; a standby polls every 250 ms, in no order. It runs on Redis and DynamoDB, too, and is a tenth of this SDK's size.",
    open: (place) => Promise.resolve(client(backing, builder, place)),
  };
}

function client(backing: Backing, builder: Builder, place: PeerPlace): PeerClient {
  const { url, namespace, ttlMs } = place;
  const callCount = countStatements[backing](url);
  const tableName = `${namespace}verrou`;
  const { store, close } = builder === 'kysely' ? openKysely(backing, url, tableName) : openKnex(backing, url, tableName);
  const locks = new Verrou({ default: 'only', stores: { only: { driver: store } } });
  const held = new Map<string, Lock>();
  return {
    acquire: async (group) => {
      const lock = locks.createLock(group, ttlMs);
      const isGranted = await lock.acquireImmediately();
      if (isGranted) held.set(group, lock);
      return isGranted;
    },
    release: (group) => held.get(group)!.release(),
    lead: async (group) => {
      const lock = locks.createLock(group, ttlMs);
      await lock.acquire();
      // Nothing in the library does it; three times in a TTL is what its users write.
      const extending = setInterval(() => void lock.extend(), ttlMs / 3);
      return async () => {
        clearInterval(extending);
        await lock.release();
      };
    },
    callCount,
    close,
  };
}

interface Opened {
  readonly store: ReturnType<typeof kyselyStore> | ReturnType<typeof knexStore>;
  readonly close: () => Promise<unknown>;
}

function openKysely(backing: Backing, url: string, tableName: string): Opened {
  const connection = new Kysely<unknown>({ dialect: dialectOf(backing, url) });
  return { store: kyselyStore({ connection, tableName }), close: () => connection.destroy() };
}

function dialectOf(backing: Backing, url: string): Dialect {
  switch (backing) {
    case 'postgres':
      return new PostgresDialect({ pool: new pg.Pool({ connectionString: url, max: CONNECTIONS }) });
    case 'mysql':
      return new MysqlDialect({ pool: createPool({ uri: url, connectionLimit: CONNECTIONS }) });
    case 'sqlite':
      return new SqliteDialect({ database: openFile(url) });
  }
}

function openKnex(backing: Backing, url: string, tableName: string): Opened {
  const pool = { min: 0, max: CONNECTIONS };
  const connection =
    backing === 'sqlite'
      ? createKnex({ client: 'better-sqlite3', connection: { filename: url.slice('sqlite:'.length) }, useNullAsDefault: true })
      : createKnex({ client: backing === 'postgres' ? 'pg' : 'mysql2', connection: url, pool });
  return { store: knexStore({ connection, tableName }), close: () => connection.destroy() };
}

function openFile(url: string): Database.Database {
  const database = new Database(url.slice('sqlite:'.length), { timeout: 10_000 });
  database.pragma('journal_mode = wal');
  return database;
}
