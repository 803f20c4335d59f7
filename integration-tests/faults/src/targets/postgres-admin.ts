import pg from 'pg';
import { untilDone } from './until-done.js';
import type { JobRunRow, LedgerRow } from '../target.js';

/** How long a server may take until it answers, in ms: it may have to make its data first, or to recover, on a busy machine. */
const READY_LIMIT_MS = 180_000;

/** The driver's own way to a PostgreSQL server: as its superuser, and not by way of a proxy. */
export class PostgresAdmin {
  readonly #url: () => string;

  /** `url` is asked for each connection: after a failover it may be another server's. */
  constructor(url: () => string) {
    this.#url = url;
  }

  /** Connects as soon as the server lets it in: a fault may follow one whose connections the server has not given up yet. */
  async connect(): Promise<pg.Client> {
    return await untilDone(READY_LIMIT_MS, () => this.tryToConnect());
  }

  async tryToConnect(): Promise<pg.Client> {
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
    return await ask<T>(await this.connect(), sql);
  }

  /** Resolves to its version when the server takes writes. */
  async untilReady(): Promise<string> {
    return await untilDone(READY_LIMIT_MS, async () => {
      const sql = `select current_setting('server_version') as version, pg_is_in_recovery() as "isReadOnly"`;
      const [row] = await ask<{ version: string; isReadOnly: boolean }>(await this.tryToConnect(), sql);
      if (row?.isReadOnly !== false) throw new Error('the server takes no writes');
      return row.version;
    });
  }

  async makeLedger(): Promise<void> {
    await this.query(`create table ledger (
      position bigint generated always as identity primary key, id text not null, group_id text not null, term bigint not null, session_id text not null)`);
    await this.query('create index ledger_terms on ledger (group_id, term)');
    await this.query(
      'create table job_run (job text not null, occurrence bigint not null, scheduled_at_ms bigint not null, term bigint not null)',
    );
    await this.query('create index job_run_occurrence on job_run (job, occurrence)');
  }

  async readLedger(): Promise<LedgerRow[]> {
    const rows = await this.query<{ position: string; id: string; group: string; term: string; session: string }>(
      `select position, id, group_id as "group", term, session_id as session from ledger order by position`,
    );
    return rows.map(({ position, term, ...row }) => ({ ...row, position: Number(position), term: Number(term) }));
  }

  async readRuns(): Promise<JobRunRow[]> {
    const rows = await this.query<{ job: string; occurrence: string; scheduledAtMs: string; term: string }>(
      'select job, occurrence, scheduled_at_ms as "scheduledAtMs", term from job_run',
    );
    return rows.map(({ job, occurrence, scheduledAtMs, term }) => ({
      job,
      occurrence: Number(occurrence),
      scheduledAtMs: Number(scheduledAtMs),
      term: Number(term),
    }));
  }
}

async function ask<T extends pg.QueryResultRow>(client: pg.Client, sql: string): Promise<T[]> {
  try {
    return (await client.query<T>(sql)).rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}
