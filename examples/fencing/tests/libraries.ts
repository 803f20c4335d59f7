import type { FenceLease } from '@wb/core';
import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import { PrismaMariaDb } from '@prisma/adapter-mariadb';
import { PrismaPg } from '@prisma/adapter-pg';
import Database from 'better-sqlite3';
import { sql } from 'drizzle-orm';
import { drizzle as drizzleSqlite } from 'drizzle-orm/better-sqlite3';
import { drizzle as drizzleMysql } from 'drizzle-orm/mysql2';
import { drizzle as drizzlePostgres } from 'drizzle-orm/node-postgres';
import knexOf from 'knex';
import { createPool } from 'mysql2/promise';
import pg from 'pg';
import { Sequelize, type Options } from 'sequelize';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { fencedInDrizzleMysql, fencedInDrizzlePostgres, fencedInDrizzleSqlite } from '../src/drizzle.js';
import type { FenceSource } from '../src/fence-source.js';
import { fencedInKnex } from '../src/knex.js';
import { fencedInPrisma, fencedInPrismaSqlite } from '../src/prisma.js';
import { fencedInSequelize } from '../src/sequelize.js';
import { fencedInTypeorm } from '../src/typeorm.js';
import { prismaClient, type PrismaClient } from './prisma-client.js';

/** What a test does in a transaction of a library. */
export interface Transaction {
  insert(id: number, term: number): Promise<void>;
}

/** A library that has a connection to the database, with one table: `invoice`. */
export interface Library {
  fenced(store: FenceSource, lease: FenceLease, work: (trx: Transaction) => Promise<void>): Promise<void>;
  close(): Promise<unknown>;
}

/** The libraries, by name; the last argument is the table's name. */
export type Libraries = Readonly<Record<string, (url: string, table: string) => Promise<Library>>>;

/** What bounds the hold of a process that freezes after its fence, on MySQL and MariaDB: set for each connection, in the way of each library. */
export const WAIT_TIMEOUT_SECONDS = 10;
const SET_WAIT_TIMEOUT = `set session wait_timeout = ${WAIT_TIMEOUT_SECONDS}`;

/** The driver of Prisma's adapter is another one. */
function mariadbConfig(url: string): ConstructorParameters<typeof PrismaMariaDb>[0] {
  const { hostname: host, port, username: user, password, pathname } = new URL(url);
  return {
    host,
    port: Number(port || 3306),
    user,
    password,
    database: pathname.slice(1),
    allowPublicKeyRetrieval: true,
    sessionVariables: { wait_timeout: WAIT_TIMEOUT_SECONDS },
  };
}

const insertInto = (table: string, id: number, term: number): string => `insert into ${table} (id, term) values (${id}, ${term})`;

function knexLibrary(knex: ReturnType<typeof knexOf>, table: string): Library {
  return {
    fenced: (store, lease, work) =>
      fencedInKnex(knex, store, lease, (trx) =>
        work({
          insert: async (id, term) => void (await trx(table).insert({ id, term })),
        }),
      ),
    close: () => knex.destroy(),
  };
}

async function typeormLibrary(
  options: DataSourceOptions,
  table: string,
  prepare: (dataSource: DataSource) => Promise<unknown> = () => Promise.resolve(),
): Promise<Library> {
  const dataSource = await new DataSource(options).initialize();
  await prepare(dataSource);
  return {
    fenced: (store, lease, work) =>
      fencedInTypeorm(dataSource, store, lease, (manager) =>
        work({
          insert: async (id, term) => void (await manager.query(insertInto(table, id, term))),
        }),
      ),
    close: () => dataSource.destroy(),
  };
}

function sequelizeLibrary(url: string, table: string, options: Options = {}): Library {
  const sequelize = new Sequelize(url, { ...options, logging: false });
  return {
    fenced: (store, lease, work) =>
      fencedInSequelize(sequelize, store, lease, (transaction) =>
        work({
          insert: async (id, term) => void (await sequelize.query(insertInto(table, id, term), { transaction })),
        }),
      ),
    close: () => sequelize.close(),
  };
}

async function prismaLibrary(client: Promise<PrismaClient>, table: string, fenced = fencedInPrisma): Promise<Library> {
  const prisma = await client;
  return {
    fenced: (store, lease, work) =>
      fenced(prisma, store, lease, (trx) =>
        work({
          insert: async (id, term) => void (await trx.$executeRawUnsafe(insertInto(table, id, term))),
        }),
      ),
    close: () => prisma.$disconnect(),
  };
}

export const postgresLibraries: Libraries = {
  Drizzle: (url, table) => {
    const pool = new pg.Pool({ connectionString: url });
    const database = drizzlePostgres(pool);
    return Promise.resolve({
      fenced: (store, lease, work) =>
        fencedInDrizzlePostgres(database, store, lease, (trx) =>
          work({
            insert: async (id, term) =>
              void (await trx.execute(sql`insert into ${sql.identifier(table)} (id, term) values (${id}, ${term})`)),
          }),
        ),
      close: () => pool.end(),
    });
  },
  Knex: (url, table) => Promise.resolve(knexLibrary(knexOf({ client: 'pg', connection: url }), table)),
  Prisma: (url, table) => prismaLibrary(prismaClient('postgresql', new PrismaPg({ connectionString: url })), table),
  Sequelize: (url, table) => Promise.resolve(sequelizeLibrary(url, table)),
  TypeORM: (url, table) => typeormLibrary({ type: 'postgres', url }, table),
};

export const mysqlLibraries: Libraries = {
  Drizzle: (url, table) => {
    const pool = createPool(url);
    pool.on('connection', (connection) => void connection.query(SET_WAIT_TIMEOUT));
    const database = drizzleMysql({ client: pool });
    return Promise.resolve({
      fenced: (store, lease, work) =>
        fencedInDrizzleMysql(database, store, lease, (trx) =>
          work({
            insert: async (id, term) =>
              void (await trx.execute(sql`insert into ${sql.identifier(table)} (id, term) values (${id}, ${term})`)),
          }),
        ),
      close: () => pool.end(),
    });
  },
  Knex: (url, table) => {
    interface Connection {
      query(sql: string, done: (error: unknown) => void): void;
    }
    const afterCreate = (connection: Connection, done: (error: unknown) => void): void => connection.query(SET_WAIT_TIMEOUT, done);
    return Promise.resolve(knexLibrary(knexOf({ client: 'mysql2', connection: url, pool: { afterCreate } }), table));
  },
  Prisma: (url, table) => prismaLibrary(prismaClient('mysql', new PrismaMariaDb(mariadbConfig(url))), table),
  Sequelize: (url, table) => {
    const afterConnect = async (connection: unknown): Promise<void> => {
      await (connection as { promise(): { query(sql: string): Promise<unknown> } }).promise().query(SET_WAIT_TIMEOUT);
    };
    return Promise.resolve(sequelizeLibrary(url, table, { hooks: { afterConnect } }));
  },
  TypeORM: (url, table) =>
    typeormLibrary({ type: 'mysql', url }, table, (dataSource) => {
      const { pool } = dataSource.driver as unknown as {
        readonly pool: { on(event: 'connection', listener: (connection: { query(sql: string): void }) => void): void };
      };
      pool.on('connection', (connection) => connection.query(SET_WAIT_TIMEOUT));
      // One is open already.
      return dataSource.query(SET_WAIT_TIMEOUT);
    }),
};

/** Sequelize needs another driver, `sqlite3`. */
export const sqliteLibraries: Libraries = {
  Drizzle: (file, table) => {
    const client = new Database(file);
    const database = drizzleSqlite(client);
    return Promise.resolve({
      fenced: (store, lease, work) =>
        Promise.resolve().then(() =>
          // Synchronous: the work has done everything when it returns its promise.
          fencedInDrizzleSqlite(database, store, lease, (trx) => {
            const insert = (id: number, term: number): unknown =>
              trx.run(sql`insert into ${sql.identifier(table)} (id, term) values (${id}, ${term})`);
            void work({ insert: (id, term) => Promise.resolve(void insert(id, term)) });
          }),
        ),
      close: () => Promise.resolve(client.close()),
    });
  },
  Knex: (file, table) =>
    Promise.resolve(knexLibrary(knexOf({ client: 'better-sqlite3', connection: { filename: file }, useNullAsDefault: true }), table)),
  Prisma: (file, table) =>
    prismaLibrary(prismaClient('sqlite', new PrismaBetterSqlite3({ url: `file:${file}` })), table, fencedInPrismaSqlite),
  TypeORM: (file, table) => typeormLibrary({ type: 'better-sqlite3', database: file }, table),
};
