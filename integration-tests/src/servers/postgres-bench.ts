import type { LeaseStore } from '@wb/core';
import { postgresLeaseStore, type PostgresLeaseStoreOptions } from '@wb/postgres';
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { TcpProxy } from '@wb/test-servers';

/** What a test needs of a server, in a namespace of its own; everything is closed with it. */
export class PostgresBench implements AsyncDisposable {
  readonly url: string;
  readonly namespace: string = `t${randomBytes(6).toString('hex')}_`;
  readonly #ends: (() => Promise<unknown>)[] = [];

  constructor(url: string) {
    this.url = url;
  }

  /** A store on the server; not migrated. */
  store(options: Partial<Record<string, unknown>> = {}): LeaseStore {
    const source = 'pool' in options || 'config' in options ? {} : { connectionString: this.url };
    const store = postgresLeaseStore({ namespace: this.namespace, ...source, ...options } as PostgresLeaseStoreOptions);
    this.#ends.push(() => store.close());
    return store;
  }

  /** As {@link store}, migrated. */
  async migrated(options: Partial<Record<string, unknown>> = {}): Promise<LeaseStore> {
    const store = this.store(options);
    await store.migrate();
    return store;
  }

  /** A connection of the test's own, as a superuser unless told otherwise. */
  async client(url: string = this.url): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => undefined);
    await client.connect();
    this.#ends.push(() => client.end());
    return client;
  }

  pool(config: pg.PoolConfig = {}): pg.Pool {
    const pool = new pg.Pool({ connectionString: this.url, ...config });
    pool.on('error', () => undefined);
    this.#ends.push(async () => {
      if (!pool.ending) await pool.end();
    });
    return pool;
  }

  async proxy(): Promise<TcpProxy> {
    const proxy = await TcpProxy.start(this.url);
    this.#ends.push(() => proxy.stop());
    return proxy;
  }

  /** A table of the store, as SQL. */
  table(name: 'session' | 'lease' | 'contender' | 'term' | 'job', schema = 'public'): string {
    return `"${schema}"."${this.namespace}${name}"`;
  }

  /** Closes everything. */
  async close(): Promise<void> {
    for (const end of this.#ends.splice(0).toReversed()) await end();
  }

  /** As {@link close}, and removes what was made in the namespace. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    const client = new pg.Client({ connectionString: this.url });
    await client.connect();
    await client.query(`do $$ declare name text; begin
      for name in select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace and starts_with(relname, '${this.namespace}') loop
        execute format('drop table %I cascade', name);
      end loop;
      for name in select proname from pg_proc where pronamespace = 'public'::regnamespace and starts_with(proname, '${this.namespace}') loop
        execute format('drop function %I cascade', name);
      end loop; end $$`);
    await client.end();
  }
}

/** Opens a session for `ttlMs` (default: longer than any test) and returns its id. */
export async function openSession(store: LeaseStore, sessionId: string, ttlMs = 600_000): Promise<string> {
  await store.openSession({ sessionId, memberId: sessionId, ttlMs });
  return sessionId;
}

/** Resolves when the session's time is over, by the store. */
export async function expired(store: LeaseStore, sessionId: string): Promise<void> {
  while ((await store.members()).some((member) => member.sessionId === sessionId));
}

/** Resolves when a statement on the server waits for a lock that it cannot have yet. */
export async function lockWaits(client: pg.Client): Promise<void> {
  await waitsOrSettles(client, new Promise(() => undefined));
}

/** As {@link lockWaits}, for a call that may have had no need to wait: whether it waits. */
export async function waitsOrSettles(client: pg.Client, call: Promise<unknown>): Promise<boolean> {
  let isSettled = false;
  const note = (): void => {
    isSettled = true;
  };
  call.then(note, note);
  for (;;) {
    if (isSettled) return false;
    const { rows } = await client.query<{ n: string }>(
      `select count(*) as n from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database() and pid <> pg_backend_pid()`,
    );
    if (Number(rows[0]!.n) > 0) return true;
  }
}
