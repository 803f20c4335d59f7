import { fencedError, resolveHoldMs, runWithinHold, systemClock, type FencedOptions, type FenceLease, type LeaseStore } from '@wb/core';
import type { MemoryDatabase } from '@wb/core/memory';
import type { Mutant } from './mutant.js';

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
  } = wrong;
  return (store, database): LeaseStore => ({
    ...store,
    fenced: async <T>(lease: FenceLease, work: (transaction: unknown) => T | PromiseLike<T>, options?: FencedOptions): Promise<T> => {
      const holdMs = checksInput ? resolveHoldMs(lease, options) : 2_000;
      const look = (): void => {
        if (!stands(database, lease)) throw fencedError(lease, 'it does not');
      };
      if (looksFirst) look();
      const writes = new Map<string, unknown>();
      let isDone = false;
      try {
        const limits = { clock: systemClock, holdMs: wrong.holdMs ?? holdMs, signals: [options?.signal] };
        const result = await runWithinHold(() => work(writes), limits);
        if (looksLast) look();
        isDone = true;
        return returnsNothing ? (undefined as T) : result;
      } finally {
        if (isDone || keepsWhatFailed) for (const [key, value] of writes) database.values.set(key, value);
      }
    },
  });
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
  {
    title: 'a refused transaction that is committed all the same',
    killedBy: 'L6.3',
    client: fencing({ keepsWhatFailed: true, looksFirst: false }),
  },
  { title: 'work that throws is committed', killedBy: 'L6.4', client: fencing({ keepsWhatFailed: true }) },
  { title: 'a hold without an end', killedBy: 'L6.5', client: fencing({ holdMs: 3_600_000 }) },
  { title: 'a fence that checks nothing that it is given', killedBy: 'L6.7', client: fencing({ checksInput: false }) },
];
