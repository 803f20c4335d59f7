import type { RowDataPacket } from 'mysql2/promise';
import { expect, it } from 'vitest';
import { describeMysql } from './servers/mysql-lab.js';

describeMysql('what heartbeats leave behind', (lab) => {
  it('§8: the table of sessions has no index but its key, so that a heartbeat changes none', async () => {
    await lab().store();
    const connection = await lab().connection();
    const [rows] = await connection.query<RowDataPacket[]>(
      `select distinct index_name as name from information_schema.statistics where table_schema = database() and table_name = '${lab().namespace}session'`,
    );
    expect(rows.map(({ name }) => String(name))).toEqual(['PRIMARY']);
  });
});
