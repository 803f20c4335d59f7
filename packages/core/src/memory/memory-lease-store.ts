import { setMaxListeners } from 'node:events';
import { systemClock, type Clock } from '../clock.js';
import { StoreError } from '../errors.js';
import { resolveHoldMs, type FencedOptions, type FenceLease } from '../fence.js';
import { assertJobWrite } from '../job-input.js';
import type { CallOptions, LeaseHint, LeaseStore, LeaseStoreCapabilities } from '../lease-store.js';
import { assertName } from '../names.js';
import type { JobEntry, JobWrite, JobWriteResult } from '../occurrence-store.js';
import { runWithinHold } from '../run-within-hold.js';
import { assertBatch, assertLeases, assertNewSession } from '../session-input.js';
import { assertHistoryRequest } from '../term-record.js';
import { MemoryTransaction } from './memory-transaction.js';
import { MemoryDatabase, type StoreInstant } from './memory-database.js';

/** Options of {@link memoryLeaseStore}. */
export interface MemoryLeaseStoreOptions {
  /** The data to work on. Give the same one to several stores and they are independent clients of it. Default: a new one. */
  readonly database?: MemoryDatabase;
  /** Where the store's time comes from: its monotonic clock. Default: that of this machine. */
  readonly clock?: Clock;
}

const CAPABILITIES: LeaseStoreCapabilities = Object.freeze({
  name: 'memory',
  durable: false,
  crossProcess: false,
  precisionMs: 1,
  watch: true,
  fencing: true,
  history: true,
  resignRequests: true,
  groups: true,
  occurrences: true,
});

/** A store in memory, with what its fenced transactions are given. */
export interface MemoryLeaseStore extends LeaseStore {
  readJobs(groupId: string, options?: CallOptions): Promise<readonly JobEntry[]>;
  writeJob(write: JobWrite, options?: CallOptions): Promise<JobWriteResult>;
  fenced<T>(lease: FenceLease, work: (transaction: MemoryTransaction) => T | PromiseLike<T>, options?: FencedOptions): Promise<T>;
}

/**
 * A store in the memory of this process: for tests, for development, and for a program that runs alone. The full contract; each call
 * takes effect in one step, in a microtask of its own.
 */
export function memoryLeaseStore(options: MemoryLeaseStoreOptions = {}): MemoryLeaseStore {
  const database = options.database ?? new MemoryDatabase();
  const clock = options.clock ?? systemClock;
  const watches = new Set<() => void>();
  const closing = new AbortController();
  // One for each fenced transaction that is under way.
  setMaxListeners(0, closing.signal);
  let isClosed = false;

  async function step<T>(callOptions: CallOptions | undefined, check: () => void, run: (nowMs: StoreInstant) => T): Promise<T> {
    check();
    await Promise.resolve();
    if (isClosed) throw closedError();
    if (callOptions?.signal?.aborted === true) {
      throw new StoreError('STORE_TIMEOUT', 'the call was aborted before it was sent', { outcome: 'none', isRetryable: true });
    }
    return run(clock.now().monotonicMs as StoreInstant);
  }

  return {
    capabilities: CAPABILITIES,
    migrate: async (call) => await step(call, nothing, nothing),
    openSession: async (session, call) =>
      await step(
        call,
        () => assertNewSession(session),
        (now) => database.openSession(session, now),
      ),
    heartbeat: async (request, call) =>
      await step(
        call,
        () => assertName('sessionId', request.sessionId),
        (now) => database.heartbeat(request, now),
      ),
    closeSession: async (sessionId, call) =>
      await step(
        call,
        () => assertName('sessionId', sessionId),
        (now) => database.closeSession(sessionId, now),
      ),
    contend: async (sessionId, groupIds, call) =>
      await step(
        call,
        () => assertBatch(sessionId, groupIds),
        (now) => database.contend(sessionId, groupIds, now),
      ),
    withdraw: async (sessionId, groupIds, call) =>
      await step(
        call,
        () => assertBatch(sessionId, groupIds),
        () => database.withdraw(sessionId, groupIds),
      ),
    claim: async (sessionId, groupIds, call) =>
      await step(
        call,
        () => assertBatch(sessionId, groupIds),
        (now) => database.claim(sessionId, groupIds, now),
      ),
    release: async (sessionId, leases, call) =>
      await step(
        call,
        () => assertLeases(sessionId, leases),
        (now) => database.release(sessionId, leases, now),
      ),
    held: async (sessionId, call) =>
      await step(
        call,
        () => assertName('sessionId', sessionId),
        (now) => database.held(sessionId, now),
      ),
    read: async (groupIds, call) =>
      await step(
        call,
        () => {
          for (const groupId of groupIds) assertName('groupId', groupId);
        },
        (now) => database.read(groupIds, now),
      ),
    history: async (groupIds, limit, call) =>
      await step(
        call,
        () => assertHistoryRequest(groupIds, limit),
        (now) => database.history(groupIds, limit, now),
      ),
    requestResign: async (groupId, call) =>
      await step(
        call,
        () => assertName('groupId', groupId),
        (now) => database.requestResign(groupId, now),
      ),
    groups: async (call) => await step(call, nothing, (now) => database.groups(now)),
    members: async (call) => await step(call, nothing, (now) => database.members(now)),
    watch: async (onHint: (hint: LeaseHint) => void, call) =>
      await step(call, nothing, () => {
        const stop = database.watch((hint) => queueMicrotask(() => onHint(hint)));
        watches.add(stop);
        return {
          [Symbol.asyncDispose]: (): Promise<void> => {
            stop();
            watches.delete(stop);
            return Promise.resolve();
          },
        };
      }),
    fenced: async (lease, work, limits) => {
      const holdMs = resolveHoldMs(lease, limits);
      await step(limits, nothing, () => database.assertStanding(lease));
      const transaction = new MemoryTransaction(database.values);
      try {
        const result = await runWithinHold(() => work(transaction), { clock, holdMs, signals: [closing.signal, limits?.signal] });
        database.commitFenced(lease, transaction.end());
        return result;
      } finally {
        transaction.end();
      }
    },
    readJobs: async (groupId, call) =>
      await step(
        call,
        () => assertName('groupId', groupId),
        () => database.readJobs(groupId),
      ),
    writeJob: async (write, call) =>
      await step(
        call,
        () => assertJobWrite(write),
        () => database.writeJob(write),
      ),
    close: () => {
      isClosed = true;
      closing.abort(closedError());
      for (const stop of watches) stop();
      watches.clear();
      return Promise.resolve();
    },
  };
}

function closedError(): StoreError {
  return new StoreError('STORE_CLOSED', 'the store is closed', { outcome: 'none' });
}

function nothing(): void {
  // Nothing to check, nothing to do.
}
