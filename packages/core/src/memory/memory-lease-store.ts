import { systemClock, type Clock } from '../clock.js';
import { StoreError } from '../errors.js';
import type { CallOptions, LeaseHint, LeaseStore, LeaseStoreCapabilities } from '../lease-store.js';
import { assertName } from '../names.js';
import { assertBatch, assertLeases, assertNewSession } from '../session-input.js';
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
});

/**
 * A store in the memory of this process: for tests, for development, and for a program that runs alone. The full contract; each call
 * takes effect in one step, in a microtask of its own.
 */
export function memoryLeaseStore(options: MemoryLeaseStoreOptions = {}): LeaseStore {
  const database = options.database ?? new MemoryDatabase();
  const clock = options.clock ?? systemClock;
  const watches = new Set<() => void>();
  let isClosed = false;

  async function step<T>(callOptions: CallOptions | undefined, check: () => void, run: (nowMs: StoreInstant) => T): Promise<T> {
    check();
    await Promise.resolve();
    if (isClosed) throw new StoreError('STORE_CLOSED', 'the store is closed', { outcome: 'none' });
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
    close: () => {
      isClosed = true;
      for (const stop of watches) stop();
      watches.clear();
      return Promise.resolve();
    },
  };
}

function nothing(): void {
  // Nothing to check, nothing to do.
}
