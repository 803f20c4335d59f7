import { readFileSync } from 'node:fs';
import type pg from 'pg';
import { expect, it, vi } from 'vitest';
import { describeServer } from './servers/describe-server.js';
import { freePort } from '@wb/test-servers';
import { openSession, PostgresBench } from './servers/postgres-bench.js';

describeServer('postgres', 'settings, roles and servers', ({ url }) => {
  const sources = [
    ['connections of its own', () => ({})],
    ['a pooler', () => ({ pooler: true })],
    ["somebody's pool", (bench: PostgresBench) => ({ pool: bench.pool({ max: 1 }) })],
  ] as const;

  it.each(sources)(
    'with %s, its transactions commit with synchronous_commit on, whatever the default is, in READ COMMITTED, with its own timeouts',
    async (_kind, source) => {
      await using bench = new PostgresBench(url);
      await bench.migrated();
      const admin = await bench.client();
      const { rows } = await admin.query<{ name: string }>('select current_database() as name');
      const role = `${bench.namespace}role`;
      await admin.query(`create role ${role} login superuser password 'secret'`);
      const defaults = {
        synchronous_commit: 'off',
        default_transaction_isolation: 'serializable',
        statement_timeout: '77s',
        lock_timeout: '66s',
      };
      for (const [name, value] of Object.entries(defaults))
        await admin.query(`alter role ${role} in database "${rows[0]!.name}" set ${name} = '${value}'`);
      await admin.query(`create table ${bench.namespace}log (settings text)`);
      await admin.query(`create function ${bench.namespace}note() returns trigger language plpgsql as $$ begin
      insert into ${bench.namespace}log values (concat_ws(' ', tg_table_name, current_setting('synchronous_commit'), current_setting('transaction_isolation'),
        current_setting('statement_timeout'), current_setting('lock_timeout'))); return new; end $$`);
      for (const name of ['session', 'lease'] as const) {
        await admin.query(
          `create trigger note before insert or update on ${bench.table(name)} for each row execute function ${bench.namespace}note()`,
        );
      }
      const own = new URL(url);
      [own.username, own.password] = [role, 'secret'];
      const roleBench = new PostgresBench(own.href);
      try {
        const pool = roleBench.pool({ max: 1 });
        const given = source(roleBench);
        const options = 'pool' in given ? { pool } : given;
        const store = roleBench.store({ namespace: bench.namespace, statementTimeoutMs: 4_000, lockTimeoutMs: 3_000, ...options });
        const sessionId = await openSession(store, 'own');
        await store.heartbeat({ sessionId, holders: [] });
        await store.claim(sessionId, ['group']);
        await store.release(sessionId, [{ groupId: 'group', term: 1 }]);
        await store.closeSession(sessionId);
        const log = await admin.query<{ settings: string }>(`select distinct settings from ${bench.namespace}log order by 1`);
        const settings = 'on read committed 4s 3s';
        expect(log.rows.map((row) => row.settings)).toEqual([
          `${bench.namespace}lease ${settings}`,
          `${bench.namespace}session ${settings}`,
        ]);
        // What somebody else's connection had set is as it was.
        const after = await pool.query(
          `select current_setting('synchronous_commit') as a, current_setting('transaction_isolation') as b, current_setting('statement_timeout') as c, current_setting('lock_timeout') as d`,
        );
        expect(Object.values(after.rows[0] as object)).toEqual(['off', 'serializable', '77s', '66s']);
      } finally {
        await roleBench.close();
        await admin.query(`drop owned by ${role}; drop role ${role}`);
      }
    },
  );

  it("plans its own statements once for a connection, and leaves the planning of the user's as it was", async () => {
    await using bench = new PostgresBench(url);
    await bench.migrated();
    const admin = await bench.client();
    const names = ['plan_cache_mode', 'enable_seqscan', 'jit'] as const;
    const current = names.map((name) => `current_setting('${name}')`).join(', ');
    await admin.query(`create table ${bench.namespace}log (settings text)`);
    await admin.query(`create function ${bench.namespace}note() returns trigger language plpgsql as $$ begin
      insert into ${bench.namespace}log values (concat_ws(' ', ${current})); return new; end $$`);
    await admin.query(
      `create trigger note before insert on ${bench.table('lease')} for each row execute function ${bench.namespace}note()`,
    );
    const store = bench.store();
    const sessionId = await openSession(store, 'session');
    await store.claim(sessionId, ['group']);
    const { rows } = await admin.query<{ settings: string }>(`select settings from ${bench.namespace}log`);
    expect(rows).toEqual([{ settings: 'force_generic_plan off off' }]);
    const inside = await store.fenced!({ groupId: 'group', term: 1, sessionId }, async (transaction) => {
      const { rows: answer } = await (transaction as pg.Client).query<{ settings: string }>(
        `select concat_ws(' ', ${current}) as settings`,
      );
      return answer[0];
    });
    const outside = await admin.query<{ settings: string }>(`select concat_ws(' ', ${current}) as settings`);
    expect(inside).toEqual(outside.rows[0]);
    expect(inside?.settings).toMatch(/^auto on /);
  });

  it('the schema in the README is the one that migrate() makes', async () => {
    await using bench = new PostgresBench(url);
    await bench.migrated();
    const readme = readFileSync(new URL('../../packages/postgres/README.md', import.meta.url), 'utf8');
    const ddl = /```sql\n(create table public\.wb_migration.*?)```/s.exec(readme)![1]!;
    const byHand = `${bench.namespace}h_`;
    const admin = await bench.client();
    await admin.query(ddl.replaceAll('wb_', byHand));
    const shape = async (namespace: string): Promise<readonly (readonly unknown[])[]> => {
      const like = `${namespace.replaceAll('_', '\\_')}(session|lease|term|contender|job|migration)`;
      const columns = await admin.query(
        `select c.relname, a.attnum, a.attname, a.atttypid::regtype::text, a.attnotnull, a.attcollation::regcollation::text, pg_get_expr(d.adbin, d.adrelid) as "default"
         from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
         where c.relkind = 'r' and c.relname similar to $1 order by 1, 2`,
        [like],
      );
      const indexes = await admin.query(`select indexdef from pg_indexes where tablename similar to $1 order by 1`, [like]);
      const checks = await admin.query(
        `select pg_get_constraintdef(o.oid) as definition from pg_constraint o join pg_class c on c.oid = o.conrelid where c.relname similar to $1 order by 1`,
        [like],
      );
      return JSON.parse(
        JSON.stringify([columns.rows, indexes.rows, checks.rows]).replaceAll(namespace, ''),
      ) as readonly (readonly unknown[])[];
    };
    const made = await shape(bench.namespace);
    expect(await shape(byHand)).toEqual(made);
    // All columns and indexes of the six tables.
    expect([made[0], made[1]].map((rows) => rows?.length)).toEqual([29, 8]);
    const store = bench.store({ namespace: byHand });
    await store.migrate();
    expect(await store.members()).toEqual([]);
  });

  it("close() leaves somebody's pool open, with all its connections given back; one that a factory made is ended", async () => {
    await using bench = new PostgresBench(url);
    const pool = bench.pool({ max: 2 });
    const store = await bench.migrated({ pool });
    await store.watch!(() => undefined);
    await store.close();
    expect(pool.ended).toBe(false);
    await vi.waitFor(() => expect(pool.idleCount).toBe(pool.totalCount));
    expect((await pool.query<{ one: number }>('select 1 as one')).rows).toEqual([{ one: 1 }]);
    const made = bench.pool();
    const other = bench.store({ pool: () => Promise.resolve(made) });
    await other.members();
    await other.close();
    expect(made.ended).toBe(true);
  });

  it('a schema other than public, even with a name that has to be quoted, is created and used whatever the search_path is', async () => {
    await using bench = new PostgresBench(url);
    const schema = `${bench.namespace}Odd "one"`;
    const store = await bench.migrated({ schema });
    const elsewhere = await bench.migrated();
    const sessionId = await openSession(store, 'own');
    expect(await store.claim(sessionId, ['group'])).toMatchObject([{ kind: 'granted' }]);
    expect(await elsewhere.read(['group'])).toMatchObject([{ term: 0 }]);
    const hints: unknown[] = [];
    await elsewhere.watch!((hint) => hints.push(hint));
    await store.watch!((hint) => hints.push(hint));
    await store.release(sessionId, [{ groupId: 'group', term: 1 }]);
    await vi.waitFor(() => expect(hints).toHaveLength(1));
    await (await bench.client()).query(`drop schema "${schema.replaceAll('"', '""')}" cascade`);
  });

  it('a role that may only read and write the tables can do everything, once another role has migrated', async () => {
    await using bench = new PostgresBench(url);
    const schema = `${bench.namespace}private`;
    const role = `${bench.namespace}worker`;
    const admin = await bench.client();
    await admin.query(`create role ${role} login password 'secret'`);
    const own = new URL(url);
    [own.username, own.password] = [role, 'secret'];
    const store = bench.store({ connectionString: own.href, schema });
    await expect(store.migrate()).rejects.toMatchObject({ code: 'STORE_REFUSED', isRetryable: false, outcome: 'none' });
    await expect(store.members()).rejects.toMatchObject({ code: 'STORE_NOT_MIGRATED', outcome: 'none' });
    await bench.migrated({ schema });
    await admin.query(
      `grant usage on schema "${schema}" to ${role}; grant select, insert, update, delete on all tables in schema "${schema}" to ${role}`,
    );
    await store.migrate();
    const sessionId = await openSession(store, 'own');
    const hints: unknown[] = [];
    await store.watch!((hint) => hints.push(hint));
    await store.contend(sessionId, ['group']);
    expect(await store.claim(sessionId, ['group'])).toMatchObject([{ kind: 'granted' }]);
    await vi.waitFor(() => expect(hints).toHaveLength(1));
    expect(await store.heartbeat({ sessionId, holders: [] })).toMatchObject({ alive: true, grantCount: 1 });
    await store.withdraw(sessionId, ['group']);
    await store.closeSession(sessionId);
    expect(await store.read(['group'])).toMatchObject([{ term: 1, holder: null }]);
    await store.close();
    await admin.query(`drop schema "${schema}" cascade; drop role ${role}`);
  });

  it.each(sources)('with %s, a server that is read-only is refused with its reason, also for reading', async (_kind, source) => {
    await using bench = new PostgresBench(url);
    await bench.migrated();
    const admin = await bench.client();
    const role = `${bench.namespace}reader`;
    await admin.query(`create role ${role} login superuser password 'secret'`);
    await admin.query(`alter role ${role} set default_transaction_read_only = on`);
    const own = new URL(url);
    [own.username, own.password] = [role, 'secret'];
    const readOnly = new PostgresBench(own.href);
    try {
      const store = readOnly.store({ namespace: bench.namespace, ...source(readOnly) });
      const calls = [() => store.members(), () => store.heartbeat({ sessionId: 'own', holders: [] }), () => store.claim('own', ['group'])];
      for (const call of calls) {
        await expect(call()).rejects.toMatchObject({
          code: 'STORE_REFUSED',
          isRetryable: true,
          outcome: 'none',
          message: expect.stringMatching(/read-only/) as string,
        });
      }
    } finally {
      await readOnly.close();
      await admin.query(`drop role ${role}`);
    }
  });

  it('F17: of several servers the first that takes writes is used: one is down, one never answers', async () => {
    await using bench = new PostgresBench(url);
    const proxy = await bench.proxy();
    proxy.blackHole();
    const alive = new URL(url);
    const down = `127.0.0.1:${await freePort()}`;
    const several = url.replace(alive.host, `${down},127.0.0.1:${proxy.port},${alive.host}`);
    const store = await bench.migrated({ connectionString: several, connectTimeoutMs: 300 });
    expect(await store.members()).toEqual([]);
    expect(proxy.acceptedCount).toBe(1);
    await Promise.all(Array.from({ length: 4 }, () => store.members()));
    // The one that worked is asked first from then on.
    expect(proxy.acceptedCount).toBe(1);
  });

  it('F17: a server that never answers costs a call its deadline once: the next call begins with another one', async () => {
    await using bench = new PostgresBench(url);
    const proxy = await bench.proxy();
    proxy.blackHole();
    await bench.migrated();
    const alive = new URL(url);
    const store = bench.store({ connectionString: url.replace(alive.host, `127.0.0.1:${proxy.port},${alive.host}`) });
    await expect(store.members({ signal: AbortSignal.timeout(200) })).rejects.toMatchObject({ code: 'STORE_TIMEOUT', outcome: 'none' });
    expect(await store.members({ signal: AbortSignal.timeout(5_000) })).toEqual([]);
  });
});
