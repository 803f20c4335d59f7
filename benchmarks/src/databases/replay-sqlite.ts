import Database from 'better-sqlite3';
import type { Replay, ReplayChanges } from './bench-database.js';

type Method = 'run' | 'get' | 'all';

interface Execution {
  readonly sql: string;
  readonly method: Method;
  readonly values: readonly unknown[];
}

/** The same statements, prepared, with the same values, at the durability that the store's own connection has. */
export async function replaySqlite(filename: string, work: () => Promise<unknown>, changes?: ReplayChanges): Promise<Replay> {
  const database = new Database(filename, { timeout: 10_000 });
  database.pragma(`synchronous = ${changes?.isDurable === true ? 'full' : 'normal'}`);
  const heard = await listen(Object.getPrototypeOf(database.prepare('select 1')) as object, work);
  // The durability is set once here, and not for each transaction.
  const executions = heard.filter(({ sql }) => !/^pragma /i.test(sql));
  const prepared = executions.map(({ sql, method, values }) => {
    const statement = database.prepare(sql);
    return (changed: number | undefined) => statement[method](...values.map((value) => withChanged(value, changes?.marker, changed)));
  });
  return {
    run: () => {
      const changed = changes?.next();
      for (const execute of prepared) execute(changed);
      return Promise.resolve();
    },
    sentCount: prepared.length,
    close: () => {
      database.close();
      return Promise.resolve();
    },
  };
}

/** Values of a statement with the marker replaced. */
function withChanged(value: unknown, marker: number | undefined, changed: number | undefined): unknown {
  if (marker === undefined || value === null || typeof value !== 'object') return value === marker ? changed : value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, each === marker ? changed : each]));
}

async function listen(statement: object, work: () => Promise<unknown>): Promise<readonly Execution[]> {
  const heard: Execution[] = [];
  const methods: readonly Method[] = ['run', 'get', 'all'];
  const originals = methods.map((method) => [method, Reflect.get(statement, method) as (...values: unknown[]) => unknown] as const);
  for (const [method, original] of originals) {
    Reflect.set(statement, method, function listening(this: Database.Statement, ...values: unknown[]): unknown {
      heard.push({ sql: this.source, method, values });
      return original.apply(this, values);
    });
  }
  try {
    await work();
  } finally {
    for (const [method, original] of originals) Reflect.set(statement, method, original);
  }
  return heard;
}
