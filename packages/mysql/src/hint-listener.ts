import { HintHub, type HintConnection } from '@wb/sql';
import { BellWatch } from './bell-watch.js';
import type { DedicatedConnection } from './dedicated-connection.js';
import type { HintSql } from './hint-sql.js';
import type { MysqlClient } from './mysql-client.js';
import type { MysqlEnvironment } from './mysql-options.js';

/** How long an attempt to connect may take, in ms. */
const CONNECT_LIMIT_MS = 10_000;

/**
 * Watches for changes, for all watchers of a store.
 * @param client Of its own: the connection does not count among those of the calls.
 */
export function watchBell(client: MysqlClient, sql: HintSql, { clock, random }: MysqlEnvironment): HintHub {
  return new HintHub({
    clock,
    random,
    connect: async (signal, onHint): Promise<HintConnection> => {
      const attempt = new AbortController();
      let connection: DedicatedConnection | null = null;
      const end = (): void => {
        attempt.abort();
        // Its place is wanted by the next attempt.
        connection?.destroy();
      };
      const timer = clock.schedule(CONNECT_LIMIT_MS, end);
      signal.addEventListener('abort', end);
      try {
        const dedicated = await client.dedicate({ operation: 'watch', options: { signal: attempt.signal } });
        connection = dedicated;
        const watch = new BellWatch(dedicated, sql, clock, onHint);
        await watch.begin();
        return { broken: watch.run(), close: () => dedicated.destroy() };
      } finally {
        timer.cancel();
        signal.removeEventListener('abort', end);
      }
    },
  });
}
