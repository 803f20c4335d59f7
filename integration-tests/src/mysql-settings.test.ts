import { runLeaseStoreConformance, formatReport, type ConformanceTarget } from '@wb/conformance';
import { mysqlLeaseStore } from '@wb/mysql';
import { TABLE_NAMES } from '@wb/sql';
import type { LeaseStore } from '@wb/core';
import { createPool, type Pool, type PoolOptions, type RowDataPacket } from 'mysql2';
import { createConnection } from 'mysql2/promise';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { describeMysql } from './servers/mysql-lab.js';
import mariadb from './targets/mariadb.js';
import mysql from './targets/mysql.js';

/** Cases that read, write, count, race and compare names. */
const CASES = [
  'L6.1',
  'L6.2',
  'L6.3',
  'L6.4',
  'L6.5',
  'L6.6',
  'S1.5',
  'S1.8',
  'S1.9',
  'S1.11',
  'S2.2',
  'S2.3',
  'L1.9',
  'L1.11',
  'L2.1',
  'L3.3',
  'L3.4',
  'L4.6',
  'L5.1',
  'F20.1',
];

const SETTINGS: readonly { readonly title: string; readonly pool: PoolOptions; readonly session: readonly string[] }[] = [
  {
    title: 'ANSI_QUOTES, NO_BACKSLASH_ESCAPES, autocommit=0, REPEATABLE READ, without CLIENT_FOUND_ROWS, one packet',
    pool: { multipleStatements: true, flags: ['-FOUND_ROWS'] },
    session: [
      "sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,STRICT_ALL_TABLES'",
      'autocommit = 0',
      'transaction isolation level repeatable read',
    ],
  },
  {
    title: 'ANSI_QUOTES, autocommit=0, READ COMMITTED, with CLIENT_FOUND_ROWS, statement by statement',
    pool: { multipleStatements: false },
    session: ["sql_mode = 'ANSI_QUOTES'", 'autocommit = 0', 'group_concat_max_len = 32', 'transaction isolation level read committed'],
  },
  {
    title: 'SERIALIZABLE, completion_type=CHAIN, a connection in latin1, a zone 13 hours east, one packet (F6)',
    pool: { multipleStatements: true, charset: 'latin1_swedish_ci' },
    session: ["time_zone = '+13:00'", 'completion_type = 1', 'transaction isolation level serializable'],
  },
  {
    title: 'REPEATABLE READ, without CLIENT_FOUND_ROWS, a zone 12 hours west, statement by statement (F6)',
    pool: { multipleStatements: false, flags: ['-FOUND_ROWS'], bigNumberStrings: true, supportBigNumbers: true, dateStrings: true },
    session: ["time_zone = '-12:00'", 'transaction isolation level repeatable read'],
  },
];

describeMysql('settings of connections', (lab, flavor) => {
  for (const { title, pool: poolOptions, session } of SETTINGS) {
    it(`keeps the contract with ${title}`, async () => {
      const pools: Pool[] = [];
      const target: ConformanceTarget = {
        name: flavor,
        sessionRetentionMs: 1_500,
        notes: (flavor === 'mysql' ? mysql : mariadb).notes!,
        open: (namespace) => {
          const pool = createPool({ uri: lab().url, connectionLimit: 4, ...poolOptions });
          pool.on('connection', (connection) => {
            for (const setting of session) connection.query(`set session ${setting}`);
          });
          pools.push(pool);
          const store = mysqlLeaseStore({ pool, namespace, sessionRetentionMs: 1_500 });
          return store;
        },
        drop: async (namespace) => {
          await Promise.all(pools.splice(0).map((pool) => pool.promise().end()));
          const connection = await lab().connection();
          for (const table of [...TABLE_NAMES, 'note']) {
            await connection.query(`drop table if exists \`${namespace}${table}\``);
          }
        },
      };
      const report = await runLeaseStoreConformance(target, { only: CASES });
      expect(report.failedCount, formatReport(report)).toBe(0);
      expect(report.passedCount).toBe(CASES.length);
    });
  }

  it('F6: sessions of the database in zones 25 hours apart see one time', async () => {
    const own = await lab().store();
    await own.openSession({ sessionId: 'holder', memberId: 'm', ttlMs: 5_000 });
    await own.claim('holder', ['g']);
    for (const zone of ['+13:00', '-12:00']) {
      const pool = createPool({ uri: lab().url, multipleStatements: true });
      pool.on('connection', (connection) => connection.query(`set session time_zone = '${zone}'`));
      lab().onEnd(() => pool.promise().end());
      const store = mysqlLeaseStore({ pool, namespace: lab().namespace });
      await store.openSession({ sessionId: zone, memberId: 'm', ttlMs: 5_000 });
      expect(await store.claim(zone, ['g'])).toMatchObject([{ reason: 'held' }]);
      expect(await store.heartbeat({ sessionId: 'holder', holders: [] })).toMatchObject({ alive: true });
      for (const { remainingMs, ageMs } of await own.members()) {
        expect(remainingMs).toBeGreaterThan(0);
        expect(remainingMs).toBeLessThanOrEqual(5_000);
        expect(ageMs).toBeLessThan(5_000);
      }
    }
  });

  it('the schema in the README is the one that migrate() makes', async () => {
    const readme = readFileSync(new URL('../../packages/mysql/README.md', import.meta.url), 'utf8');
    const ddl = /```sql\n(create table wb_session.*?)```/s.exec(readme)![1]!;
    const connection = await lab().connection();
    const names = ['made', 'by_hand'].map((name) => `${lab().namespace}${name}`) as [string, string];
    const [made, byHand] = names;
    // What the last line of the block says of each table.
    const collation = flavor === 'mysql' ? 'utf8mb4_0900_bin' : 'utf8mb4_nopad_bin';
    for (const name of names) await connection.query(`create database ${name} character set utf8mb4 collate ${collation}`);
    lab().onEnd(async () => {
      const admin = await createConnection({ uri: lab().url });
      for (const name of names) await admin.query(`drop database ${name}`);
      await admin.end();
    });
    const storeIn = (name: string): LeaseStore => {
      const url = new URL(lab().url);
      url.pathname = `/${name}`;
      const store = mysqlLeaseStore({ connectionString: url.href, hints: false });
      lab().onEnd(() => store.close());
      return store;
    };
    await storeIn(made).migrate();
    await connection.query(`use ${byHand}; ${ddl}`);
    const shape = async (name: string): Promise<readonly unknown[]> => {
      const [columns] = await connection.query<RowDataPacket[]>(
        `select table_name, ordinal_position, column_name, column_type, is_nullable, column_default, collation_name, column_key
        from information_schema.columns where table_schema = ? order by 1, 2`,
        [name],
      );
      const [indexes] = await connection.query<RowDataPacket[]>(
        `select table_name, index_name, seq_in_index, column_name, non_unique from information_schema.statistics where table_schema = ? order by 1, 2, 3`,
        [name],
      );
      return [columns, indexes];
    };
    const expected = await shape(made);
    expect(await shape(byHand)).toEqual(expected);
    // All columns, and the columns of all indexes, of the six tables.
    expect(expected.map((rows) => (rows as unknown[]).length)).toEqual([29, 11]);
    const store = storeIn(byHand);
    expect(await store.migrationSql!()).toEqual([]);
    expect(await store.members()).toEqual([]);
  });
});
