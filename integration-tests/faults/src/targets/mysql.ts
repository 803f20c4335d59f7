import { machineFaults } from '../servers/machine-faults.js';
import { answering } from '../servers/private-server.js';
import { startPrivateServer } from '../servers/start-private-server.js';
import type { FaultTarget, TargetServer } from '../target.js';
import { endpointOf, urlAt } from './endpoint.js';
import { MysqlAdmin } from './mysql-admin.js';
import { openMysql } from './mysql-database.js';
import { mysqlFaults } from './mysql-faults.js';

/** MySQL, one server. */
export const mysql: FaultTarget = mysqlTarget('mysql');

/** MariaDB, one server. */
export const mariadb: FaultTarget = mysqlTarget('mariadb');

function mysqlTarget(kind: 'mysql' | 'mariadb'): FaultTarget {
  return {
    name: kind,
    open: openMysql,
    start: async (): Promise<TargetServer | string> => {
      const server = await startPrivateServer(kind);
      if (typeof server === 'string') return server;
      const admin = new MysqlAdmin(() => server.url);
      const version = await answering(server, async () => {
        const answer = await admin.untilReady();
        await admin.makeLedger();
        return answer;
      });
      return {
        title: `${kind === 'mysql' ? 'MySQL' : 'MariaDB'} ${version} (${server.origin})`,
        endpoints: () => [endpointOf(server.url)],
        url: ([proxy]) => urlAt(server.url, proxy!),
        faults: [...machineFaults(server, () => admin.untilReady()), ...mysqlFaults(admin)],
        readLedger: () => admin.readLedger(),
        readRuns: () => admin.readRuns(),
        stop: () => server.stop(),
      };
    },
  };
}
