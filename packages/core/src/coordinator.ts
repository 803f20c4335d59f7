import { randomUUID } from 'node:crypto';
import { systemClock } from './clock.js';
import { CoordinatorShell } from './coordinator-shell.js';
import type { Coordinator, CoordinatorOptions, LeadOptions, LeadResult, Work } from './coordinator-types.js';
import { WbError, WbOptionError } from './errors.js';
import { leadOptionsResolver } from './lead-options.js';
import { machines } from './machines.js';
import { assertMetadata } from './metadata.js';
import type { LeaseStore, LeaseStoreCapabilities } from './lease-store.js';
import { assertName } from './names.js';
import { assertHistoryRequest } from './term-record.js';
import { resolveTimings } from './timings.js';

/** How many terms `history` returns by default. */
const DEFAULT_HISTORY = 10;

/**
 * Makes a coordinator. Touches the store only when something is led, observed or asked for; a database that is down then is tried
 * again with back-off, visibly (F17).
 *
 * @throws {@link WbOptionError} `INVALID_OPTION`, `INVALID_NAME`, naming the field, its value and the limit.
 */
export function createCoordinator(options: CoordinatorOptions): Coordinator {
  const timings = resolveTimings(options);
  assertName('memberId', options.memberId);
  if (options.metadata !== undefined) assertMetadata('metadata', options.metadata);
  if (options.migrate !== undefined && typeof options.migrate !== 'boolean') {
    throw new WbOptionError('INVALID_OPTION', 'migrate', `\`migrate\` (${String(options.migrate)}) must be a boolean`);
  }
  const ownsStore = typeof options.store === 'function';
  const store = typeof options.store === 'function' ? options.store() : options.store;
  if (typeof store?.heartbeat !== 'function' || typeof store.capabilities !== 'object') {
    throw new WbOptionError('INVALID_OPTION', 'store', '`store` must be a LeaseStore, or a function that makes one');
  }
  const shell = new CoordinatorShell({
    store,
    memberId: options.memberId,
    metadata: options.metadata,
    migrate: options.migrate ?? true,
    timings,
    clock: options.clock ?? systemClock,
    machines,
    random: Math.random,
    newSessionId: randomUUID,
    exit: (code) => process.exit(code),
  });

  const close = async (): Promise<void> => {
    await shell.close();
    if (ownsStore) await store.close();
  };

  const resolveOptions = leadOptionsResolver(timings);
  // Not `async`: the shell's own promise is passed on, and nothing else is kept for each group.
  const lead = <T>(groupId: string, work: Work<T>, leadOptions: LeadOptions = {}): Promise<LeadResult<T>> => {
    try {
      assertName('groupId', groupId);
      if (typeof work !== 'function') throw new WbOptionError('INVALID_OPTION', 'work', `\`work\` (${typeof work}) must be a function`);
      // What the work returns is what comes out: the shell only carries it.
      return shell.lead(groupId, work, resolveOptions(leadOptions), leadOptions.signal) as Promise<LeadResult<T>>;
    } catch (error) {
      return Promise.reject(error);
    }
  };

  return {
    memberId: options.memberId,
    store,
    lead,
    resign: async (groupId) => {
      assertName('groupId', groupId);
      return await shell.resign(groupId);
    },
    requestResign: async (groupId) => {
      assertName('groupId', groupId);
      if (store.requestResign === undefined) throw notSupportedError('requestResign', 'resignRequests', store);
      return (await shell.call('requestResign', (signal) => store.requestResign!(groupId, { signal }))).kind === 'requested';
    },
    history: async (groupId, limit = DEFAULT_HISTORY) => {
      assertHistoryRequest([groupId], limit);
      if (store.history === undefined) throw notSupportedError('history', 'history', store);
      return await shell.call('history', (signal) => store.history!([groupId], limit, { signal }));
    },
    members: async () => await shell.call('members', (signal) => store.members({ signal })),
    observe: (groupId) => {
      assertName('groupId', groupId);
      return shell.observe(groupId);
    },
    status: () => shell.status(),
    on: (kind, listener) => shell.events.on(kind, listener),
    events: () => shell.events.iterate(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function notSupportedError(method: string, capability: keyof LeaseStoreCapabilities, { capabilities }: LeaseStore): WbError {
  return new WbError('NOT_SUPPORTED', `the store (${capabilities.name}) has no \`${method}\`: \`capabilities.${capability}\` is false`);
}
