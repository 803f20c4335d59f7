import { StoreError, type Coordinator, type JobEntry, type JobWrite, type JobWriteResult, type LeaseStore } from '@wb/core';
import type { VirtualClock } from '@wb/core/testing';
import { randomUUID } from 'node:crypto';
import type { JobRecord } from '../src/index.js';
import { AuditedDatabase } from './audited-database.js';
import type { JobRule } from './violation.js';
import type { Plant } from './world.js';

/** A fault that the simulation must find, or the checks are worth nothing. */
export interface PlantedFault extends Plant {
  readonly title: string;
  /** The rules that it breaks: a violation of another one does not count as caught. */
  readonly rules: readonly JobRule[];
}

/** Every planted fault: in the store, in what the client makes of answers, in the record, and in what a leader looks at. */
export const plantedFaults: readonly PlantedFault[] = [
  // ——— the store ———
  {
    title: 'O2: a write does not look at the version',
    rules: ['forward', 'once', 'account'],
    database: (audit) => new Versionless(audit),
  },
  { title: 'O1: a write does not look at the lease', rules: ['O4'], database: (audit) => new Leaseless(audit) },
  {
    title: 'O6: a record is forgotten with the session of its leader',
    rules: ['forward', 'once', 'account'],
    database: (audit) => new Forgetful(audit),
  },
  // ——— what the client makes of answers ———
  { title: 'O3: a repeat reads anew, and is a write of its own', rules: ['operator'], client: withNewWrites },
  { title: 'a claim is taken for written when it is sent', rules: ['claim'], client: (store) => ({ ...store, writeJob: sentOnly(store) }) },
  {
    title: 'after the first fault nothing is written any more',
    rules: ['live'],
    client: (store) => {
      let isBroken = false;
      return {
        ...store,
        writeJob: async (write, call) => {
          if (isBroken) throw new StoreError('STORE_FAULT', 'no more', { isRetryable: true });
          try {
            return await store.writeJob!(write, call);
          } catch (error) {
            isBroken = true;
            throw error;
          }
        },
      };
    },
  },
  // ——— the record ———
  {
    title: 'the cursor goes back with an outcome',
    rules: ['forward', 'once'],
    client: changedRecords((record, before) =>
      record.running === null && before?.running != null ? { ...record, cursorAtMs: before.running.scheduledAtMs - 1 } : record,
    ),
  },
  {
    title: 'what is skipped is not counted',
    rules: ['account'],
    client: changedRecords((record, before) => ({ ...record, skippedCount: before?.skippedCount ?? 0 })),
  },
  {
    title: 'each member counts `maxCount` for itself (F5)',
    rules: ['account', 'forward', 'max-count'],
    client: (store) => {
      let own = 0;
      return changedRecords((record, before) => {
        if (record.count > (before?.count ?? 0)) own += 1;
        return { ...record, count: own };
      })(store);
    },
  },
  {
    title: 'a checkpoint is not kept for the rerun',
    rules: ['checkpoint'],
    client: (store) => ({
      ...store,
      readJobs: async (groupId, call) =>
        (await store.readJobs!(groupId, call)).map((entry) => {
          const record = JSON.parse(entry.record) as JobRecord;
          const running = record.running === null ? null : { ...record.running, checkpoint: null };
          return { ...entry, record: JSON.stringify({ ...record, running }) };
        }),
    }),
  },
  // ——— what was chosen ———
  {
    title: 'what was interrupted is begun again, whatever was chosen',
    rules: ['once'],
    options: (options) => ({ ...options, onInterrupted: 'rerun' }),
  },
  {
    title: 'F5: `maxCount` is nobody’s',
    rules: ['max-count'],
    options: ({ maxCount: _maxCount, ...options }) => options,
  },
  {
    title: 'attempts go on and on',
    rules: ['once'],
    options: (options) => ({ ...options, retry: { maxAttempts: 1_000, intervalMs: 20 } }),
  },
  // ——— what a leader looks at ———
  { title: 'T10: neither the lease nor the signal is looked at again after a claim', rules: ['claim'], coordinator: trusting },
  {
    title: 'F4: a leader whose work hangs does not yield',
    rules: ['live', 'end'],
    options: (options) => ({ ...options, settleMs: 1_000_000_000 }),
  },
];

class Versionless extends AuditedDatabase {
  protected override apply(write: JobWrite): JobWriteResult {
    const expectedVersion = this.jobs.groups.get(write.groupId)?.get(write.jobId)?.version ?? 0;
    return super.apply({ ...write, expectedVersion });
  }
}

class Leaseless extends AuditedDatabase {
  protected override apply(write: JobWrite): JobWriteResult {
    return super.apply({ ...write, lease: null });
  }
}

/** With a new term everything begins anew. */
class Forgetful extends AuditedDatabase {
  readonly #terms = new Map<string, number>();

  override readJobs(groupId: string): readonly JobEntry[] {
    this.#forget(groupId);
    return super.readJobs(groupId);
  }

  protected override apply(write: JobWrite): JobWriteResult {
    this.#forget(write.groupId);
    return super.apply(write);
  }

  #forget(groupId: string): void {
    const { term } = this.leases.get(groupId) ?? { term: 0 };
    if (this.#terms.get(groupId) !== term) this.jobs.groups.delete(groupId);
    this.#terms.set(groupId, term);
  }
}

function withNewWrites(store: LeaseStore): LeaseStore {
  const sent = new Set<string>();
  return {
    ...store,
    writeJob: async (write, call) => {
      const { groupId, jobId, writeId } = write;
      if (!sent.has(writeId)) {
        sent.add(writeId);
        return await store.writeJob!(write, call);
      }
      const before = (await store.readJobs!(groupId, call)).find((entry) => entry.jobId === jobId);
      return await store.writeJob!({ ...write, writeId: randomUUID(), expectedVersion: before?.version ?? 0 }, call);
    },
  };
}

function sentOnly(store: LeaseStore): NonNullable<LeaseStore['writeJob']> {
  return (write, call) => {
    store.writeJob!(write, call).catch(() => undefined);
    return Promise.resolve({ kind: 'written', version: write.expectedVersion + 1 });
  };
}

/** Writes something else than was decided. `before`: what this member wrote or read last. */
function changedRecords(change: (record: JobRecord, before: JobRecord | null) => JobRecord): (store: LeaseStore) => LeaseStore {
  return (store) => {
    const known = new Map<string, JobRecord>();
    const note = (entry: JobEntry | null): void => {
      if (entry !== null) known.set(`${entry.groupId}/${entry.jobId}`, JSON.parse(entry.record) as JobRecord);
    };
    return {
      ...store,
      readJobs: async (groupId, call) => {
        const entries = await store.readJobs!(groupId, call);
        for (const entry of entries) note(entry);
        return entries;
      },
      writeJob: async (write, call) => {
        const key = `${write.groupId}/${write.jobId}`;
        const record = JSON.stringify(change(JSON.parse(write.record) as JobRecord, known.get(key) ?? null));
        const result = await store.writeJob!({ ...write, record }, call);
        if (result.kind === 'written') known.set(key, JSON.parse(record) as JobRecord);
        if (result.kind === 'stale') note(result.current);
        return result;
      },
    };
  };
}

/** The jobs believe that they lead for a while after it has ended. */
function trusting(real: Coordinator, clock: VirtualClock): Coordinator {
  return {
    ...real,
    lead: (groupId, work, options) =>
      real.lead(
        groupId,
        (context) => {
          const late = new AbortController();
          context.signal.addEventListener('abort', () => clock.schedule(20, () => late.abort(context.signal.reason)));
          return work(changed(context, { signal: late.signal, lease: changed(context.lease, { isHeld: () => true }) }));
        },
        options,
      ),
  };
}

/** The same with a few properties changed. */
function changed<T extends object>(target: T, changes: Partial<T>): T {
  return new Proxy(target, {
    get: (_, name) => {
      if (Object.hasOwn(changes, name)) return Reflect.get(changes, name) as unknown;
      const value: unknown = Reflect.get(target, name, target);
      // Private fields are found on the target itself only.
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
