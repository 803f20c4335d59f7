import { HintHub, type HintConnection } from '@wb/sql';
import type { SqliteClient } from './sqlite-client.js';
import type { SqliteEnvironment } from './sqlite-options.js';
import { WalWatch } from './wal-watch.js';

/**
 * Watches for changes, for all watchers of a store.
 * @param open Makes a client for one watch: its connection is none of those of the calls.
 */
export function watchWal(open: () => SqliteClient, environment: SqliteEnvironment): HintHub {
  return new HintHub({
    clock: environment.clock,
    random: environment.random,
    connect: async (signal, onHint): Promise<HintConnection> => {
      const watch = new WalWatch(open(), environment, onHint);
      try {
        await watch.begin(signal);
        return watch;
      } catch (error) {
        watch.close();
        throw error;
      }
    },
  });
}
