import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import { untilDone } from './until-done.js';
import type { JobRunRow, LedgerRow } from '../target.js';

/** How long a server may take until it answers, in ms: it may have to make its data first, or to recover, on a busy machine. */
const READY_LIMIT_MS = 180_000;

/** The driver's own way to a MySQL or MariaDB server: as its superuser, and not by way of a proxy. */
export class MysqlAdmin {
  readonly #url: () => string;
  readonly #beforeReading: string | null;

  /**
   * `url` is asked for each connection: after a failover it may be another server's. `beforeReading` is a statement that makes the connection see everything that was acknowledged, where that
   * does not go without saying.
   */
  constructor(url: () => string, beforeReading: string | null = null) {
    this.#url = url;
    this.#beforeReading = beforeReading;
  }

  /** Connects as soon as the server lets it in: a fault may follow one whose connections the server has not given up yet. */
  async connect(): Promise<Connection> {
    return await untilDone(READY_LIMIT_MS, () => this.tryToConnect());
  }

  async tryToConnect(): Promise<Connection> {
    const connection = await createConnection({ uri: this.#url(), connectTimeout: 2_000 });
    connection.on('error', () => undefined);
    return connection;
  }

  async query<T>(sql: string, before: string | null = null): Promise<T[]> {
    return await ask(await this.connect(), sql, before);
  }

  /** Resolves to its version when the server takes writes. */
  async untilReady(): Promise<string> {
    return await untilDone(READY_LIMIT_MS, async () => {
      const sql = 'select version() as version, @@read_only as isReadOnly';
      const [row] = await ask<{ version: string; isReadOnly: number }>(await this.tryToConnect(), sql);
      if (row?.isReadOnly !== 0) throw new Error('the server takes no writes');
      return row.version;
    });
  }

  async makeLedger(): Promise<void> {
    await this.query(`create table ledger (
      position bigint not null auto_increment primary key, id varchar(64) not null, group_id varchar(255) not null, term bigint not null, session_id varchar(255) not null,
      key ledger_terms (group_id, term))`);
    await this.query(`create table job_run (
      id bigint not null auto_increment primary key, job varchar(64) not null, occurrence bigint not null, scheduled_at_ms bigint not null, term bigint not null,
      key job_run_occurrence (job, occurrence))`);
  }

  async readLedger(): Promise<LedgerRow[]> {
    return await this.query<LedgerRow>(
      'select position, id, group_id as `group`, term, session_id as session from ledger order by position',
      this.#beforeReading,
    );
  }

  async readRuns(): Promise<JobRunRow[]> {
    return await this.query<JobRunRow>('select job, occurrence, scheduled_at_ms as scheduledAtMs, term from job_run', this.#beforeReading);
  }
}

async function ask<T>(connection: Connection, sql: string, before: string | null = null): Promise<T[]> {
  try {
    if (before !== null) await connection.query({ sql: before, timeout: READY_LIMIT_MS });
    const [rows] = await connection.query<RowDataPacket[]>({ sql, timeout: READY_LIMIT_MS });
    return rows as T[];
  } finally {
    connection.destroy();
  }
}
