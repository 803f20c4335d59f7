import pg from 'pg';
import { machineMs, type MemberMessage, type MemberStart } from './messages.js';

/** The table of {@link HandWritten}, with its only row. */
export function handWrittenDdl(namespace: string): string {
  return `create table "${namespace}lock" (id int primary key, holder text, expires_at timestamptz); insert into "${namespace}lock" (id) values (1)`;
}

/**
 * The yardstick: what somebody writes who knows PostgreSQL, for one group and nothing else. One row, conditional updates by the server's clock, a NOTIFY with the release, and a standby that wakes
 * when it is notified or when the holder's time is over. No sessions, terms, deadlines or recovery: only as fast as it can be.
 */
export class HandWritten {
  readonly #client: pg.Client;
  readonly #start: MemberStart;
  readonly #tell: (message: MemberMessage) => void;
  readonly #channel: string;
  readonly #table: string;
  #isLeading = false;
  #isBusy = false;
  /** Notified while a claim was under way. */
  #isWanted = false;
  /** It hears its own notification, too. */
  #isResigning = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(start: MemberStart, tell: (message: MemberMessage) => void) {
    this.#start = start;
    this.#tell = tell;
    this.#channel = `${start.namespace}hand`;
    this.#table = `"${start.namespace}lock"`;
    this.#client = new pg.Client({ connectionString: start.url });
    void this.#run();
  }

  async resign(): Promise<void> {
    clearTimeout(this.#timer);
    this.#isLeading = false;
    this.#isResigning = true;
    this.#tell({ kind: 'stopped', atMs: machineMs() });
    await this.#query(
      'resign',
      `with freed as (update ${this.#table} set holder = null where holder = $1 returning 1) select pg_notify('${this.#channel}', '') from freed`,
      [this.#start.memberId],
    );
    // The other one goes first.
    this.#again(2 * this.#start.heartbeatMs);
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#client.end();
  }

  async #run(): Promise<void> {
    await this.#client.connect();
    this.#client.on('notification', () => {
      if (!this.#isLeading && !this.#isResigning) void this.#claim();
    });
    await this.#client.query(`listen "${this.#channel}"`);
    await this.#claim();
  }

  async #claim(): Promise<void> {
    if (this.#isBusy) {
      this.#isWanted = true;
      return;
    }
    this.#isBusy = true;
    this.#isWanted = false;
    this.#isResigning = false;
    const { memberId, ttlMs, heartbeatMs } = this.#start;
    const { rows } = await this.#query(
      'claim',
      `with taken as (
        update ${this.#table} set holder = $1, expires_at = clock_timestamp() + $2::int * interval '1 ms'
        where id = 1 and (holder is null or expires_at <= clock_timestamp()) returning 1
      ) select (select count(*) from taken)::int as taken, extract(epoch from expires_at - clock_timestamp())::float8 * 1000 as left_ms from ${this.#table}`,
      [memberId, ttlMs],
    );
    this.#isBusy = false;
    const { taken, left_ms: leftMs } = rows[0] as { readonly taken: number; readonly left_ms: number | null };
    if (taken === 1) {
      this.#isLeading = true;
      this.#tell({ kind: 'leads', atMs: machineMs() });
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => void this.#beat(), heartbeatMs);
      return;
    }
    this.#tell({ kind: 'stands-by' });
    if (this.#isWanted) return this.#claim();
    // Not later than a heartbeat: by then the holder has moved its expiry.
    this.#again(Math.max(1, Math.min(leftMs ?? heartbeatMs, heartbeatMs)));
  }

  async #beat(): Promise<void> {
    const { memberId, ttlMs, heartbeatMs } = this.#start;
    const { rowCount } = await this.#query(
      'beat',
      `update ${this.#table} set expires_at = clock_timestamp() + $2::int * interval '1 ms' where holder = $1 and expires_at > clock_timestamp()`,
      [memberId, ttlMs],
    );
    if (!this.#isLeading) return;
    if (rowCount === 1) {
      this.#timer = setTimeout(() => void this.#beat(), heartbeatMs);
      return;
    }
    this.#isLeading = false;
    this.#again(1);
  }

  #again(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#claim(), delayMs);
  }

  async #query(name: string, text: string, values: unknown[]): Promise<pg.QueryResult> {
    return await this.#client.query({ name, text, values });
  }
}
