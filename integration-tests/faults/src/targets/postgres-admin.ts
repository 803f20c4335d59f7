import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { nowMs } from '../machine-time.js';
import type { LedgerRow } from '../target.js';

/** How long a server may take until it answers, in ms: it may have to recover first. */
const READY_LIMIT_MS = 60_000;

/** The driver's own way to a PostgreSQL server: as its superuser, and not by way of a proxy. */
export class PostgresAdmin {
  readonly #url: () => string;

  /** `url` is asked for each connection: after a failover it may be another server's. */
  constructor(url: () => string) {
    this.#url = url;
  }

  async connect(): Promise<pg.Client> {
    const client = new pg.Client({
      connectionString: this.#url(),
      connectionTimeoutMillis: 2_000,
      query_timeout: READY_LIMIT_MS,
      application_name: 'wb-faults',
    });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  async query<T extends pg.QueryResultRow>(sql: string): Promise<T[]> {
    const client = await this.connect();
    try {
      return (await client.query<T>(sql)).rows;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  /** Resolves to its version when the server takes writes. */
  async untilReady(): Promise<string> {
    for (const endMs = nowMs() + READY_LIMIT_MS; ; await sleep(100)) {
      try {
        const [row] = await this.query<{ version: string; read_only: boolean }>(
          `select current_setting('server_version') as version, pg_is_in_recovery() as read_only`,
        );
        if (row && !row.read_only) return row.version;
      } catch (error) {
        if (nowMs() > endMs) throw error;
      }
    }
  }

  async makeLedger(): Promise<void> {
    await this.query(`create table ledger (
      position bigint generated always as identity primary key, id text not null, group_id text not null, term bigint not null, session_id text not null)`);
  }

  async readLedger(): Promise<LedgerRow[]> {
    const rows = await this.query<{ position: string; id: string; group: string; term: string; session: string }>(
      `select position, id, group_id as "group", term, session_id as session from ledger order by position`,
    );
    return rows.map(({ position, term, ...row }) => ({ ...row, position: Number(position), term: Number(term) }));
  }
}
