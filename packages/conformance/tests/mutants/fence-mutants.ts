import { fencedError, resolveHoldMs, runWithinHold, systemClock, type FencedOptions, type FenceLease, type LeaseStore } from '@wb/core';
import type { MemoryDatabase } from '@wb/core/memory';
import { delay, type Mutant } from './mutant.js';

type FencedRunner = NonNullable<LeaseStore['fenced']>;

/** What a wrong fence does otherwise. */
interface Wrongness {
  /** Whether a lease stands. Default: group, term and session match. */
  readonly stands?: (database: MemoryDatabase, lease: FenceLease) => boolean;
  readonly looksFirst?: boolean;
  readonly looksLast?: boolean;
  readonly checksInput?: boolean;
  /** Default: as long as it may. */
  readonly holdMs?: number;
  /** Commits also what failed. */
  readonly keepsWhatFailed?: boolean;
  readonly returnsNothing?: boolean;
  /** Looks last, and commits so much later, in ms: without a lock in between. */
  readonly commitsAfterMs?: number;
  readonly heedsSignal?: boolean;
  /** Whether it is one transaction of the lease at a time. */
  readonly isExclusive?: boolean;
  /** Whether heartbeats wait until the fenced transactions have ended. */
  readonly holdsHeartbeats?: boolean;
}

function isExact(database: MemoryDatabase, { groupId, term, sessionId }: FenceLease): boolean {
  const lease = database.leases.get(groupId);
  return lease?.term === term && lease.holderId === sessionId;
}

/** The memory store with a fence that is wrong in one way. */
function fencing(wrong: Wrongness): NonNullable<Mutant['client']> {
  const {
    stands = isExact,
    looksFirst = true,
    looksLast = true,
    checksInput = true,
    keepsWhatFailed = false,
    returnsNothing = false,
    commitsAfterMs,
    heedsSignal = true,
    isExclusive = false,
    holdsHeartbeats = false,
  } = wrong;
  return (store, database): LeaseStore => {
    let under: Promise<unknown> = Promise.resolve();
    const fenced: FencedRunner = async <T>(
      lease: FenceLease,
      work: (transaction: unknown) => T | PromiseLike<T>,
      options?: FencedOptions,
    ): Promise<T> => {
      const holdMs = checksInput ? resolveHoldMs(lease, options) : 2_000;
      const look = (): void => {
        if (!stands(database, lease)) throw fencedError(lease, 'it does not');
      };
      if (looksFirst) look();
      const writes = new Map<string, unknown>();
      let isDone = false;
      try {
        const limits = { clock: systemClock, holdMs: wrong.holdMs ?? holdMs, signals: heedsSignal ? [options?.signal] : [] };
        const result = await runWithinHold(() => work(writes), limits);
        if (looksLast) look();
        if (commitsAfterMs !== undefined) await delay(commitsAfterMs);
        isDone = true;
        return returnsNothing ? (undefined as T) : result;
      } finally {
        if (isDone || keepsWhatFailed) for (const [key, value] of writes) database.values.set(key, value);
      }
    };
    return {
      ...store,
      heartbeat: async (request, options) => {
        if (holdsHeartbeats) await under;
        return await store.heartbeat(request, options);
      },
      fenced: async (lease, work, options) => {
        const before = under;
        const run = isExclusive ? before.then(() => fenced(lease, work, options)) : fenced(lease, work, options);
        under = Promise.all([before, run.catch(() => undefined)]);
        return await run;
      },
    };
  };
}

/** Stores that are wrong about fences. */
export const fenceMutants: readonly Mutant[] = [
  { title: 'a fenced transaction does not return what the work did', killedBy: 'L6.1', client: fencing({ returnsNothing: true }) },
  { title: 'a fence that looks at nothing', killedBy: 'L6.2', client: fencing({ stands: () => true }) },
  {
    title: 'a fence that does not look at the session',
    killedBy: 'L6.2',
    client: fencing({ stands: (database, { groupId, term }) => database.leases.get(groupId)?.term === term }),
  },
  {
    title: 'a fence that does not look at the term',
    killedBy: 'L6.2',
    client: fencing({ stands: (database, { groupId, sessionId }) => database.leases.get(groupId)?.holderId === sessionId }),
  },
  {
    title: 'a fence that lets later terms through',
    killedBy: 'L6.2',
    client: fencing({
      stands: (database, { groupId, term, sessionId }) => {
        const lease = database.leases.get(groupId);
        return lease?.holderId === sessionId && lease.term <= term;
      },
    }),
  },
  {
    title: 'a fence that goes by what was released',
    killedBy: 'L6.2',
    client: fencing({
      stands: (database, { groupId, term, sessionId }) => {
        const lease = database.leases.get(groupId);
        return lease?.term === term && (lease.holderId ?? sessionId) === sessionId;
      },
    }),
  },
  { title: 'a fence that looks only before the work', killedBy: 'L6.3', client: fencing({ looksLast: false }) },
  { title: 'a fence that looks last and locks nothing until the commit', killedBy: 'L6.3', client: fencing({ commitsAfterMs: 4 }) },
  {
    title: 'a refused transaction that is committed all the same',
    killedBy: 'L6.3',
    client: fencing({ keepsWhatFailed: true, looksFirst: false }),
  },
  { title: 'work that throws is committed', killedBy: 'L6.4', client: fencing({ keepsWhatFailed: true }) },
  { title: 'a hold without an end', killedBy: 'L6.5', client: fencing({ holdMs: 3_600_000 }) },
  { title: 'a hold that no signal ends', killedBy: 'L6.5', client: fencing({ heedsSignal: false }) },
  { title: 'a heartbeat that waits for the end of a fenced transaction', killedBy: 'L6.6', client: fencing({ holdsHeartbeats: true }) },
  { title: 'fenced transactions of one lease, one after the other', killedBy: 'L6.6', client: fencing({ isExclusive: true }) },
  { title: 'a fence that checks nothing that it is given', killedBy: 'L6.7', client: fencing({ checksInput: false }) },
];
