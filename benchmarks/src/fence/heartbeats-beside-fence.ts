import type { FenceLease, LeaseStore } from '@wb/core';
import type { BenchDatabase } from '../databases/bench-database.js';
import { withTables } from '../databases/namespace.js';
import { createNotes } from './notes.js';
import { openLease } from '../databases/open-lease.js';
import { pause } from '../measure/clock.js';
import { compare } from '../measure/comparison.js';
import { interleaved } from '../measure/interleaved.js';
import { run, type Run } from '../measure/run.js';
import type { Compared } from '../report/comparison-table.js';

const HEARTBEATS = 10;
/** Between two heartbeats, in ms. */
const PAUSE_MS = 5;
/** The store's default. */
const CONNECTIONS = 4;
/** Nothing is added: what is above 1 is the machine's noise. */
const GOAL = 1.1;

/**
 * How the transaction is fenced. `'fenced'`: by the store, which locks the lease with the commit alone. `'fence'`: one of the user's, early, so that the lease is locked all the time.
 */
export type Fencing = 'fenced' | 'fence';

/** What stores besides have: see the READMEs of theirs. */
interface FencingStore extends LeaseStore {
  fence(executor: object, lease: FenceLease): Promise<void>;
}

/** Ten heartbeats of a session during a fenced transaction of its lease, which has written and then waits for all of them, against ten without. */
export async function heartbeatsBesideFence(database: BenchDatabase, isQuick: boolean, fencing: Fencing): Promise<Compared> {
  return await withTables(database, CONNECTIONS, async (store, namespace) => {
    const bare = await database.openBare(1);
    try {
      const insert = await createNotes(database, bare, namespace);
      const lease = await openLease(store, 'fenced');
      const beat = async (): Promise<Run> => {
        const runs: Run[] = [];
        for (let beats = 0; beats < HEARTBEATS; beats += 1) {
          await pause(PAUSE_MS);
          runs.push(await run(1, 1, () => store.heartbeat({ sessionId: lease.sessionId, holders: [] })));
        }
        const sum = (of: (each: Run) => number): number => runs.reduce((total, each) => total + of(each), 0);
        return {
          samplesMs: runs.flatMap(({ samplesMs }) => samplesMs),
          elapsedMs: sum(({ elapsedMs }) => elapsedMs),
          cpuMs: sum(({ cpuMs }) => cpuMs),
        };
      };
      const during: Readonly<Record<Fencing, () => Promise<Run>>> = {
        fenced: () =>
          store.fenced!(
            lease,
            async (transaction) => {
              await database.queryIn(transaction, insert, [lease.term]);
              return await beat();
            },
            { maxHoldMs: 60_000 },
          ),
        fence: () =>
          bare.inTransaction(async (executor) => {
            await (store as FencingStore).fence(executor, lease);
            await database.queryIn(executor, insert, [lease.term]);
            return await beat();
          }),
      };
      const pairs = await interleaved(isQuick ? 4 : 100, during[fencing], beat);
      return { subject: `${database.name}, ${fencing}`, comparison: compare(pairs), goal: GOAL };
    } finally {
      await bare.close();
    }
  });
}
