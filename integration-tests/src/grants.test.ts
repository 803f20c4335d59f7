import type { LeaseStore } from '@wb/core';
import { mysqlLeaseStore } from '@wb/mysql';
import { postgresLeaseStore } from '@wb/postgres';
import { createConnection } from 'mysql2/promise';
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { expect, it } from 'vitest';
import { describeServer } from './servers/describe-server.js';

const PAGE = readFileSync(new URL('../../docs/grants.md', import.meta.url), 'utf8');

/** The statements of a block of the page, with names that no other run uses. */
function statements(block: string, rename: (sql: string) => string): readonly string[] {
  const found = new RegExp(`\`\`\`sql ${block}\\n(.*?)\`\`\``, 's').exec(PAGE);
  if (found === null) throw new Error(`docs/grants.md has no block \`sql ${block}\``);
  return rename(found[1]!)
    .split(';\n')
    .map((sql) => sql.trim())
    .filter((sql) => sql !== '');
}

const suffix = `_t${process.pid}`;
const DEPLOYER = `wb_deployer${suffix}`;
const RUNNER = `wb_runner${suffix}`;
const PLACE = `warm_backup${suffix}`;

function renamed(sql: string): string {
  return sql.replaceAll('wb_deployer', DEPLOYER).replaceAll('wb_runner', RUNNER).replaceAll('warm_backup', PLACE);
}

/** A server of tests may have an anonymous user at `localhost`, which goes before `%`: the same for both. */
function onEveryHost(sqls: readonly string[]): readonly string[] {
  return sqls.flatMap((sql) => (sql.includes("@'%'") ? [sql, sql.replaceAll("@'%'", "@'localhost'")] : [sql]));
}

function urlOf(serverUrl: string, user: string, password: string): URL {
  const url = new URL(serverUrl);
  [url.username, url.password] = [user, password];
  return url;
}

/** Everything that a store does, with the running role. */
async function runsWith(store: LeaseStore): Promise<void> {
  await store.openSession({ sessionId: 's', memberId: 'm', ttlMs: 60_000 });
  await store.contend('s', ['group']);
  expect(await store.claim('s', ['group'])).toMatchObject([{ kind: 'granted', term: 1 }]);
  expect(await store.heartbeat({ sessionId: 's', holders: [] })).toMatchObject({ alive: true, grantCount: 1 });
  const lease = { groupId: 'group', term: 1, sessionId: 's' };
  expect(await store.fenced!(lease, () => 'done')).toBe('done');
  expect(await store.held('s')).toMatchObject({ alive: true, leases: [{ groupId: 'group' }] });
  expect(await store.members()).toHaveLength(1);
  const watch = await store.watch!(() => undefined);
  await watch[Symbol.asyncDispose]();
  expect(await store.release('s', [lease])).toMatchObject([{ kind: 'released' }]);
  await store.withdraw('s', ['group']);
  await store.closeSession('s');
  expect(await store.read(['group'])).toMatchObject([{ term: 1, holder: null }]);
}

const REFUSED = { code: 'STORE_REFUSED', isRetryable: false, outcome: 'none' };

async function check(deployer: LeaseStore, runner: LeaseStore, grantTables: () => Promise<unknown>): Promise<void> {
  try {
    await expect(runner.migrate()).rejects.toMatchObject(REFUSED);
    await deployer.migrate();
    await grantTables();
    await runner.migrate();
    await runsWith(runner);
  } finally {
    await Promise.all([deployer.close(), runner.close()]);
  }
}

describeServer('postgres', 'docs/grants.md', ({ url }) => {
  for (const withTables of [false, true]) {
    it(`the running role can do everything but migrate, ${withTables ? 'with rights on the tables' : 'with the default privileges'}`, async () => {
      const admin = new pg.Client({ connectionString: url });
      await admin.connect();
      try {
        for (const sql of statements('postgres setup', renamed)) {
          if (!withTables || !sql.startsWith('alter default')) await admin.query(sql);
        }
        const storeOf = (user: string, password: string): LeaseStore =>
          postgresLeaseStore({ connectionString: urlOf(url, user, password).href, schema: PLACE });
        await check(storeOf(DEPLOYER, 'deployer-secret'), storeOf(RUNNER, 'runner-secret'), async () => {
          if (withTables) for (const sql of statements('postgres tables', renamed)) await admin.query(sql);
        });
        await expect(admin.query(`set role ${RUNNER}; create table ${PLACE}.mine (a int)`)).rejects.toMatchObject({ code: '42501' });
        await admin.query('reset role');
      } finally {
        await admin.query(`reset role; drop schema if exists ${PLACE} cascade`);
        await admin.query(`drop owned by ${DEPLOYER}, ${RUNNER}; drop role ${DEPLOYER}, ${RUNNER}`);
        await admin.end();
      }
    });
  }
});

for (const flavor of ['mysql', 'mariadb'] as const) {
  describeServer(flavor, 'docs/grants.md', ({ url }) => {
    for (const withTables of [false, true]) {
      it(`the running role can do everything but migrate, with rights on ${withTables ? 'the tables' : 'the database'}`, async () => {
        const admin = await createConnection({ uri: url });
        try {
          for (const sql of onEveryHost(statements('mysql setup', renamed))) await admin.query(sql);
          // Enough to see the database, so that what is missing is the right to create.
          if (withTables) {
            for (const sql of onEveryHost([`revoke insert, update, delete on ${PLACE}.* from '${RUNNER}'@'%'`])) await admin.query(sql);
          }
          const storeOf = (user: string, password: string): LeaseStore => {
            const own = urlOf(url, user, password);
            own.pathname = `/${PLACE}`;
            return mysqlLeaseStore({ connectionString: own.href });
          };
          await check(storeOf(DEPLOYER, 'deployer-secret'), storeOf(RUNNER, 'runner-secret'), async () => {
            if (!withTables) return;
            const sqls = [...statements('mysql tables', renamed), `revoke select on ${PLACE}.* from '${RUNNER}'@'%'`];
            for (const sql of onEveryHost(sqls)) await admin.query(sql);
          });
          const own = urlOf(url, RUNNER, 'runner-secret');
          own.pathname = `/${PLACE}`;
          const runner = await createConnection({ uri: own.href });
          await expect(runner.query('create table mine (a int)')).rejects.toMatchObject({ errno: 1142 });
          await runner.end();
        } finally {
          await admin.query(`drop database if exists ${PLACE}`);
          await admin.query(`drop user if exists '${DEPLOYER}'@'%', '${RUNNER}'@'%', '${DEPLOYER}'@'localhost', '${RUNNER}'@'localhost'`);
          await admin.end();
        }
      });
    }
  });
}
