import { isGuardRefusal } from '@wb/sql';
import { describe, expect, it } from 'vitest';
import { mysqlGuards, postgresGuards, sqliteGuards, type GuardBench, type GuardConnection } from './guards/guard-bench.js';
import { describeServer } from './servers/describe-server.js';

type Kind = 'postgres' | 'mysql' | 'mariadb' | 'sqlite';

const STALE = /wb-guard-stale: a later term/;
const UNSTATED = /wb-guard-unstated: this write does not state its term/;

/** What a writer may be told because of another one, whatever its term is. */
const CONTENTION: ReadonlySet<string> = new Set([
  '40001',
  '40P01',
  'ER_LOCK_DEADLOCK',
  'ER_LOCK_WAIT_TIMEOUT',
  'ER_CHECKREAD',
  'SQLITE_BUSY',
  'SQLITE_BUSY_SNAPSHOT',
]);

interface Guarded {
  readonly table: string;
  readonly leader: GuardConnection;
  readonly stale: GuardConnection;
}

/** A guarded table with the rows 1 (written in term 1) and 2 (in term 2), and two connections. */
async function guarded(bench: GuardBench, text?: string): Promise<Guarded & { readonly name: string }> {
  const name = bench.name(text);
  const table = bench.id(name);
  const [leader, stale] = [await bench.connect(), await bench.connect()];
  await leader.run(`create table ${table} (id integer primary key, amount integer not null)`);
  await createGuard(bench, leader, name);
  await leader.run(`insert into ${table} (id, amount, wb_term) values (1, 10, 1)`);
  await leader.run(`insert into ${table} (id, amount, wb_term) values (2, 20, 2)`);
  return { name, table, leader, stale };
}

async function createGuard(bench: GuardBench, connection: GuardConnection, name: string, column = 'wb_term'): Promise<void> {
  const hasColumn = async (): Promise<boolean> =>
    await connection.rows(`select ${bench.id(column)} from ${bench.id(name)} where 1 = 0`).then(
      () => true,
      () => false,
    );
  // Only SQLite needs to be told.
  const addColumn = !(await hasColumn());
  for (const sql of bench.guard(name, { column, addColumn }).create) await connection.run(sql);
}

async function amounts(connection: GuardConnection, table: string): Promise<readonly string[]> {
  const rows = await connection.rows(`select id, amount from ${table} order by id`);
  return rows.map(({ id, amount }) => `${String(id)}: ${String(amount)}`);
}

function guardsOf(kind: Kind, make: () => GuardBench): void {
  it('refuse an insert, an update and a delete with a lower term than the table has seen, and let the others pass', async () => {
    await using bench = make();
    const { table, leader, stale } = await guarded(bench);
    await expect(stale.run(`insert into ${table} (id, amount, wb_term) values (3, 30, 1)`)).rejects.toThrow(STALE);
    await expect(stale.run(`update ${table} set amount = 11, wb_term = 1 where id = 1`)).rejects.toThrow(STALE);
    await expect(stale.run(`update ${table} set wb_term = -1 where id = 1`)).rejects.toThrow(STALE);
    await expect(stale.run(`delete from ${table} where id = 1`)).rejects.toThrow(UNSTATED);
    expect(await amounts(leader, table)).toEqual(['1: 10', '2: 20']);

    await leader.run(`update ${table} set amount = amount + 1, wb_term = 2`);
    await leader.run(`update ${table} set amount = amount + 1, wb_term = 2`);
    await leader.run(`insert into ${table} (id, amount, wb_term) values (3, 30, 3), (4, 40, 3)`);
    await leader.run(`update ${table} set wb_term = -3 where id = 1`);
    await leader.run(`delete from ${table} where id = 1`);
    expect(await amounts(leader, table)).toEqual(['2: 22', '3: 30', '4: 40']);
    await expect(stale.run(`update ${table} set amount = 0, wb_term = 2 where id = 2`)).rejects.toThrow(STALE);
  });

  it('see the term of a delete, and of an update that finds a row', async () => {
    await using bench = make();
    const { table, leader, stale } = await guarded(bench);
    await leader.run(`update ${table} set amount = 0, wb_term = 9 where id = 77`);
    await stale.run(`update ${table} set amount = 21, wb_term = 2 where id = 2`);
    await leader.run(`update ${table} set wb_term = -5 where id = 1`);
    await expect(stale.run(`update ${table} set amount = 22, wb_term = 4 where id = 2`)).rejects.toThrow(STALE);
    expect(await amounts(leader, table)).toEqual(['1: 10', '2: 21']);
  });

  it('refuse what states no term, also where the row has the newest one already', async () => {
    await using bench = make();
    const { table, leader, stale } = await guarded(bench);
    const unstated = [
      `insert into ${table} (id, amount) values (3, 30)`,
      `insert into ${table} (id, amount, wb_term) values (3, 30, null)`,
      `insert into ${table} (id, amount, wb_term) values (3, 30, 0)`,
      `insert into ${table} (id, amount, wb_term) values (3, 30, -2)`,
      `update ${table} set amount = 0`,
      `update ${table} set amount = 0 where id = 2`,
      `update ${table} set amount = 0, wb_term = null where id = 2`,
      `update ${table} set amount = 0, wb_term = 0 where id = 2`,
      `update ${table} set amount = 0, wb_term = 9007199254740992 where id = 2`,
      `delete from ${table}`,
      `delete from ${table} where id = 2`,
      ...(kind === 'postgres' ? [`truncate ${table}`] : []),
    ];
    for (const sql of unstated) await expect(stale.run(sql), sql).rejects.toThrow(UNSTATED);
    // A row that an update has prepared for its deletion, and nobody deleted.
    await leader.run(`update ${table} set wb_term = -2 where id = 2`);
    await expect(stale.run(`update ${table} set amount = 0 where id = 2`)).rejects.toThrow(UNSTATED);
    expect(await amounts(leader, table)).toEqual(['1: 10', '2: 20']);
    await leader.run(`update ${table} set amount = 21, wb_term = 2 where id = 2`);
    await expect(stale.run(`delete from ${table} where id = 2`)).rejects.toThrow(UNSTATED);
    expect(await amounts(leader, table)).toEqual(['1: 10', '2: 21']);
  });

  it('take the term of an upsert', async () => {
    await using bench = make();
    const { table, leader, stale } = await guarded(bench);
    const upsert = (term: number): string =>
      kind === 'mysql' || kind === 'mariadb'
        ? `insert into ${table} (id, amount, wb_term) values (1, 15, ${term}) on duplicate key update amount = values(amount), wb_term = ${term}`
        : `insert into ${table} (id, amount, wb_term) values (1, 15, ${term}) on conflict (id) do update set amount = excluded.amount, wb_term = excluded.wb_term`;
    await expect(stale.run(upsert(1))).rejects.toThrow(STALE);
    await leader.run(upsert(2));
    expect(await amounts(leader, table)).toEqual(['1: 15', '2: 20']);
  });

  it('refuse a transaction that began before the takeover and writes after it', async () => {
    await using bench = make();
    const { table, leader, stale } = await guarded(bench);
    await stale.run('begin');
    await stale.rows(`select * from ${table}`);
    await leader.run(`insert into ${table} (id, amount, wb_term) values (3, 30, 3)`);
    const write = stale.run(`update ${table} set amount = 0, wb_term = 2 where id = 1`);
    // A snapshot that is not the newest cannot write (SQLite), or cannot see the mark (MariaDB from 11.6 on).
    await expect(write).rejects.toThrow(
      kind === 'sqlite' ? 'database is locked' : kind === 'mariadb' ? /has changed since|wb-guard-stale/ : STALE,
    );
    await stale.run('rollback').catch(() => undefined);
    expect(await amounts(leader, table)).toEqual(['1: 10', '2: 20', '3: 30']);
  });

  const TITLE = 'keep what a stale transaction has written, but not committed, from being committed after a write of a later term';
  const openStale = async (bench: GuardBench): Promise<Guarded & { readonly insert: (id: number, term: number) => string }> => {
    const all = await guarded(bench);
    const insert = (id: number, term: number): string => `insert into ${all.table} (id, amount, wb_term) values (${id}, 0, ${term})`;
    await all.stale.run('begin');
    await all.stale.run(insert(4, 2));
    return { ...all, insert };
  };
  if (kind === 'postgres') {
    it(`${TITLE}: the commit is refused, and nobody has waited for it`, async () => {
      await using bench = make();
      const { table, leader, stale, insert } = await openStale(bench);
      const takeover = leader.run(insert(3, 3));
      expect(await leader.waits(takeover)).toBe(false);
      await takeover;
      await expect(stale.run('commit')).rejects.toThrow(STALE);
      expect(await amounts(leader, table)).toEqual(['1: 10', '2: 20', '3: 0']);
    });
  } else if (kind === 'sqlite') {
    it(`${TITLE}: the later one cannot write yet`, async () => {
      await using bench = make();
      const { table, leader, stale, insert } = await openStale(bench);
      await expect(leader.run(insert(3, 3))).rejects.toThrow('database is locked');
      await stale.run('commit');
      await leader.run(insert(3, 3));
      await expect(stale.run(insert(5, 2))).rejects.toThrow(STALE);
      expect(await amounts(leader, table)).toEqual(['1: 10', '2: 20', '3: 0', '4: 0']);
    });
  } else {
    it(`${TITLE}: the later one waits for it`, async () => {
      await using bench = make();
      const { table, leader, stale, insert } = await openStale(bench);
      const takeover = leader.run(insert(3, 3));
      expect(await leader.waits(takeover)).toBe(true);
      await stale.run('commit');
      await takeover;
      await expect(stale.run(insert(5, 2))).rejects.toThrow(STALE);
      expect(await amounts(leader, table)).toEqual(['1: 10', '2: 20', '3: 0', '4: 0']);
    });
  }

  if (kind !== 'sqlite') {
    it('let transactions of one term write at the same time', async () => {
      await using bench = make();
      const { table, leader, stale: other } = await guarded(bench);
      for (const connection of [leader, other]) await connection.run('begin');
      await leader.run(`insert into ${table} (id, amount, wb_term) values (3, 30, 2)`);
      const second = other.run(`insert into ${table} (id, amount, wb_term) values (4, 40, 2)`);
      expect(await other.waits(second)).toBe(false);
      await second;
      for (const connection of [leader, other]) await connection.run('commit');
      expect(await amounts(leader, table)).toHaveLength(4);
    });
  }

  it('never commit a lower term after a higher one, whoever begins when', async () => {
    await using bench = make();
    const { table, leader } = await guarded(bench);
    interface Committed {
      readonly term: number;
      readonly sentAt: number;
      readonly doneAt: number;
    }
    const committed: Committed[] = [];
    let now = 0;
    let refused = 0;
    const writer = async (connection: GuardConnection, first: number): Promise<void> => {
      for (let n = 0; n < 25; n += 1) {
        const term = 2 + Math.floor(n / 2) + Math.floor(Math.random() * 6);
        try {
          await connection.run('begin');
          await connection.run(`insert into ${table} (id, amount, wb_term) values (${first + n}, 0, ${term})`);
          const sentAt = (now += 1);
          await connection.run('commit');
          committed.push({ term, sentAt, doneAt: (now += 1) });
        } catch (error) {
          if (isGuardRefusal(error)) refused += 1;
          else if (!CONTENTION.has(String(Reflect.get(Object(error), 'code')))) throw error;
          await connection.run('rollback').catch(() => undefined);
        }
      }
    };
    const writers = await Promise.all([1, 2, 3, 4].map(() => bench.connect()));
    await Promise.all(writers.map((connection, index) => writer(connection, 100 * (index + 1))));
    const late = committed.filter((one) => committed.some((other) => other.term > one.term && other.doneAt < one.sentAt));
    expect(late).toEqual([]);
    expect(committed.length).toBeGreaterThan(0);
    expect(refused).toBeGreaterThan(0);
    expect(await leader.rows(`select id from ${table} where id >= 100`)).toHaveLength(committed.length);
  });

  it('may be created twice, keep their mark, and are removed with everything but the column', async () => {
    await using bench = make();
    const { name, table, leader, stale } = await guarded(bench);
    await createGuard(bench, leader, name);
    await expect(stale.run(`insert into ${table} (id, amount, wb_term) values (3, 30, 1)`)).rejects.toThrow(STALE);
    for (let round = 0; round < 2; round += 1) for (const sql of bench.guard(name).remove) await leader.run(sql);
    await stale.run(`insert into ${table} (id, amount, wb_term) values (3, 30, 1)`);
    await stale.run(`update ${table} set amount = 31 where id = 3`);
    await stale.run(`delete from ${table} where id = 1`);
    expect(await amounts(leader, table)).toEqual(['2: 20', '3: 31']);
  });

  it('refuse everything if their mark is gone', async () => {
    await using bench = make();
    const { name, table, leader } = await guarded(bench);
    await leader.run(`delete from ${bench.id(`wb_guard_${name}`)}`);
    await expect(leader.run(`insert into ${table} (id, amount, wb_term) values (3, 30, 3)`)).rejects.toThrow(STALE);
  });

  const hostile = [`o'clock"; drop table x; --`, 'back\\slash`tick', 'Ärger 表 $wb$', 'a.b %s :p ?', 'x'.repeat(40)];
  for (const [index, text] of hostile.entries()) {
    it(`cope with names like ${JSON.stringify(text)}`, async () => {
      await using bench = make();
      const name = bench.name(text);
      const column = `${hostile.at(index - 1)!.slice(0, 30)}.`;
      const [table, term] = [bench.id(name), bench.id(column)];
      const connection = await bench.connect();
      await connection.run(`create table ${table} (id integer primary key, amount integer not null)`);
      for (let round = 0; round < 2; round += 1) await createGuard(bench, connection, name, column);
      await connection.run(`insert into ${table} (id, amount, ${term}) values (1, 10, 2)`);
      await connection.run(`update ${table} set amount = 11, ${term} = 2`);
      await expect(connection.run(`update ${table} set amount = 12, ${term} = 1`)).rejects.toThrow(STALE);
      await expect(connection.run(`update ${table} set amount = 12`)).rejects.toThrow(UNSTATED);
      expect(await amounts(connection, table)).toEqual(['1: 11']);
      for (const sql of bench.guard(name, { column }).remove) await connection.run(sql);
      await connection.run(`update ${table} set amount = 12`);
    });
  }
}

describe('guards on sqlite', () => {
  guardsOf('sqlite', sqliteGuards);
});
for (const name of ['postgres', 'postgres-older'] as const)
  describeServer(name, 'guards', ({ url }) => guardsOf('postgres', () => postgresGuards(url)));
describeServer('mysql', 'guards', ({ url }) => guardsOf('mysql', () => mysqlGuards(url)));
for (const name of ['mariadb', 'mariadb-older'] as const)
  describeServer(name, 'guards', ({ url }) => guardsOf('mariadb', () => mysqlGuards(url)));

describeServer('postgres', 'guards, in PostgreSQL alone', ({ url }) => {
  it('hold a takeover back once they have checked, until the commit', async () => {
    await using bench = postgresGuards(url);
    const { table, leader, stale } = await guarded(bench);
    await stale.run('begin');
    await stale.run(`insert into ${table} (id, amount, wb_term) values (4, 40, 2)`);
    // The deferred check, now: as in a commit that is under way.
    await stale.run('set constraints all immediate');
    const takeover = leader.run(`insert into ${table} (id, amount, wb_term) values (3, 30, 3)`);
    expect(await leader.waits(takeover)).toBe(true);
    await stale.run('commit');
    await takeover;
    expect(await amounts(leader, table)).toEqual(['1: 10', '2: 20', '3: 30', '4: 40']);
  });

  for (const level of ['repeatable read', 'serializable']) {
    it(`refuse a stale commit at ${level}, too`, async () => {
      await using bench = postgresGuards(url);
      const { table, leader, stale } = await guarded(bench);
      await stale.run(`begin isolation level ${level}`);
      await stale.run(`insert into ${table} (id, amount, wb_term) values (4, 40, 2)`);
      await leader.run(`insert into ${table} (id, amount, wb_term) values (3, 30, 3)`);
      await expect(stale.run('commit')).rejects.toMatchObject({ code: '40001' });
      expect(await amounts(leader, table)).toEqual(['1: 10', '2: 20', '3: 30']);
    });
  }

  it('need no rights of those who write, who cannot set the mark', async () => {
    await using bench = postgresGuards(url);
    const { name, table, leader, stale } = await guarded(bench);
    const role = bench.id(`writer ${name}`);
    await leader.run(`create role ${role}`);
    try {
      await leader.run(`grant select, insert, update, delete on ${table} to ${role}`);
      await stale.run(`set role ${role}`);
      await stale.run(`insert into ${table} (id, amount, wb_term) values (3, 30, 3)`);
      await expect(stale.run(`insert into ${table} (id, amount, wb_term) values (4, 40, 2)`)).rejects.toThrow(STALE);
      await expect(stale.run(`update ${bench.id(`wb_guard_${name}`)} set term = 0`)).rejects.toMatchObject({ code: '42501' });
      await stale.run('reset role');
    } finally {
      await leader.run(`drop owned by ${role}; drop role ${role}`);
    }
  });

  it('guard the partitions of a table', async () => {
    await using bench = postgresGuards(url);
    const name = bench.name();
    const [table, part] = [bench.id(name), bench.id(bench.name('part'))];
    const client = await bench.connect();
    await client.run(`create table ${table} (id integer, amount integer) partition by range (id)`);
    await client.run(`create table ${part} partition of ${table} for values from (0) to (100)`);
    await createGuard(bench, client, name);
    await client.run(`insert into ${table} (id, amount, wb_term) values (1, 10, 2)`);
    await expect(client.run(`update ${part} set amount = 11, wb_term = 1`)).rejects.toThrow(STALE);
    await expect(client.run(`update ${table} set amount = 11`)).rejects.toThrow(UNSTATED);
    expect(await amounts(client, table)).toEqual(['1: 10']);
  });
});
