import type { LeaseStore } from '@wb/core';
import { mysqlLeaseStore } from '@wb/mysql';
import { TABLE_NAMES } from '@wb/sql';
import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise';
import { afterEach } from 'vitest';
import { describeServer } from './describe-server.js';

/** The two servers that `@wb/mysql` is tested on. */
type MysqlFlavor = 'mysql' | 'mariadb';

/** What a test on a server works with; all of it is cleaned up after the test. */
export class MysqlLab {
  readonly url: string;
  readonly namespace: string;
  readonly #cleanups: (() => Promise<unknown>)[] = [];
  static #count = 0;

  constructor(url: string) {
    this.url = url;
    MysqlLab.#count += 1;
    this.namespace = `lab${process.pid}_${MysqlLab.#count}_`;
    this.onEnd(async () => {
      const connection = await createConnection({ uri: url });
      for (const table of TABLE_NAMES) {
        await connection.query(`drop table if exists \`${this.namespace}${table}\``);
      }
      await connection.end();
    });
  }

  onEnd(cleanup: () => Promise<unknown>): void {
    this.#cleanups.unshift(cleanup);
  }

  async end(): Promise<void> {
    for (const cleanup of this.#cleanups.splice(0)) await cleanup();
  }

  /** A migrated client. */
  async store(url: string = this.url): Promise<LeaseStore> {
    const store = mysqlLeaseStore({ connectionString: url, namespace: this.namespace });
    this.onEnd(() => store.close());
    await store.migrate();
    return store;
  }

  /** A bare connection, for what others do to the tables. */
  async connection(): Promise<Connection> {
    const connection = await createConnection({ uri: this.url, multipleStatements: true });
    this.onEnd(async () => connection.destroy());
    return connection;
  }

  table(name: string): string {
    return `\`${this.namespace}${name}\``;
  }

  /** Resolves when somebody on the server waits for a row. */
  async untilSomeoneWaits(): Promise<void> {
    await this.until("select count(*) as n from information_schema.innodb_trx where trx_state = 'LOCK WAIT'", (n) => n > 0);
  }

  /** How often the server has counted something: `lock_deadlocks`, `lock_timeouts`. */
  async metric(name: string): Promise<number> {
    const connection = await createConnection({ uri: this.url });
    const count = await number(connection, `select \`count\` as n from information_schema.innodb_metrics where name = '${name}'`);
    await connection.end();
    return count;
  }

  async until(sql: string, isIt: (n: number) => boolean): Promise<void> {
    const connection = await createConnection({ uri: this.url });
    // InnoDB renews these views only when nobody has looked at them for 100 ms.
    while (!isIt(await number(connection, sql))) await new Promise((resolve) => setTimeout(resolve, 110));
    await connection.end();
  }
}

async function number(connection: Connection, sql: string): Promise<number> {
  const [rows] = await connection.query<RowDataPacket[]>(sql);
  return Number(rows[0]?.['n']);
}

/** Runs `tests` against MySQL and against MariaDB. */
export function describeMysql(title: string, tests: (lab: () => MysqlLab, flavor: MysqlFlavor) => void): void {
  for (const flavor of ['mysql', 'mariadb'] as const) {
    describeServer(flavor, title, ({ url }) => {
      let lab: MysqlLab | null = null;
      tests(() => (lab ??= new MysqlLab(url)), flavor);
      afterEach(async () => {
        await lab?.end();
        lab = null;
      });
    });
  }
}
