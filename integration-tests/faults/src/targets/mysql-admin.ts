import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import { setTimeout as sleep } from 'node:timers/promises';
import { nowMs } from '../machine-time.js';
import type { LedgerRow } from '../target.js';

/** How long a server may take until it answers, in ms: it may have to recover first. */
const READY_LIMIT_MS = 60_000;

/** The driver's own way to a MySQL or MariaDB server: as its superuser, and not by way of a proxy. */
export class MysqlAdmin {
  readonly #url: () => string;

  /** `url` is asked for each connection: after a failover it may be another server's. */
  constructor(url: () => string) {
    this.#url = url;
  }

  async connect(): Promise<Connection> {
    const connection = await createConnection({ uri: this.#url(), connectTimeout: 2_000 });
    connection.on('error', () => undefined);
    return connection;
  }

  async query<T>(sql: string): Promise<T[]> {
    const connection = await this.connect();
    try {
      const [rows] = await connection.query<RowDataPacket[]>({ sql, timeout: READY_LIMIT_MS });
      return rows as T[];
    } finally {
      connection.destroy();
    }
  }

  /** Resolves to its version when the server takes writes. */
  async untilReady(): Promise<string> {
    for (const endMs = nowMs() + READY_LIMIT_MS; ; await sleep(100)) {
      try {
        const [row] = await this.query<{ version: string; isReadOnly: number }>('select version() as version, @@read_only as isReadOnly');
        if (row?.isReadOnly === 0) return row.version;
      } catch (error) {
        if (nowMs() > endMs) throw error;
      }
    }
  }

  async makeLedger(): Promise<void> {
    await this.query(`create table ledger (
      position bigint not null auto_increment primary key, id varchar(64) not null, group_id varchar(255) not null, term bigint not null, session_id varchar(255) not null)`);
  }

  async readLedger(): Promise<LedgerRow[]> {
    return await this.query<LedgerRow>(
      'select position, id, group_id as `group`, term, session_id as session from ledger order by position',
    );
  }
}
