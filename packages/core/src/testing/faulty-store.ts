import { StoreError } from '../errors.js';
import type { LeaseStore } from '../lease-store.js';
import type { Random } from './random.js';
import type { Scheduler } from './scheduler.js';

/** What happens to one statement on its way to the store, and to its answer. Times in virtual ms. */
export interface Fate {
  /** When the statement takes effect, each time that it does. Empty: the request is lost. More than one: it is delivered again. */
  readonly deliverAfterMs: readonly number[];
  /** How long after its first effect the answer arrives; `null`: the reply is lost. */
  readonly replyAfterMs: number | null;
}

/** Options of {@link faultyStore}. */
export interface FaultyStoreOptions {
  readonly scheduler: Scheduler;
  /** Decides the fate of each call. */
  readonly fate: (operation: string) => Fate;
  /** Gives an answer to the client; a paused process takes it later, a dead one never. Default: at once. */
  readonly receive?: (callback: () => void) => void;
  /** Called for each thing that happens, for a trace. */
  readonly onEvent?: (text: string) => void;
}

/** A fate without faults: one way takes from `minMs` to `maxMs`. */
export function smoothFate(random: Random, minMs: number, maxMs: number): Fate {
  return { deliverAfterMs: [random.between(minMs, maxMs)], replyAfterMs: random.between(minMs, maxMs) };
}

const OPERATIONS = [
  'migrate',
  'openSession',
  'heartbeat',
  'closeSession',
  'contend',
  'withdraw',
  'claim',
  'release',
  'held',
  'read',
  'members',
  'groups',
  'history',
  'requestResign',
  'readJobs',
  'writeJob',
] as const;

type Operation = (typeof OPERATIONS)[number];

/**
 * Puts a bad network between a client and a store: requests and replies are lost, late, and delivered twice, as `fate` says. An aborted call rejects
 * at once, and its statement may still arrive (T5).
 *
 * Watches and fenced transactions are not passed on: a hint is never needed for correctness (W1), and a transaction is more than one statement.
 */
export function faultyStore(store: LeaseStore, options: FaultyStoreOptions): LeaseStore {
  const { scheduler, fate, onEvent } = options;
  const receive = options.receive ?? ((callback) => callback());

  function call(operation: Operation, args: readonly unknown[]): Promise<unknown> {
    const signal = (args.at(-1) as { readonly signal?: AbortSignal } | undefined)?.signal;
    const statement = args.slice(0, signal === undefined ? args.length : -1);
    const send = store[operation] as (...statement: readonly unknown[]) => Promise<unknown>;
    const { deliverAfterMs, replyAfterMs } = fate(operation);
    return new Promise((resolve, reject) => {
      signal?.addEventListener('abort', () => {
        reject(new StoreError('STORE_TIMEOUT', `\`${operation}\` was aborted`, { isRetryable: true, cause: signal.reason }));
      });
      if (deliverAfterMs.length === 0) onEvent?.(`${operation}: the request is lost`);
      deliverAfterMs.forEach((afterMs, index) => {
        scheduler.schedule(afterMs, () => {
          if (index > 0) onEvent?.(`${operation}: delivered again`);
          const answer = send.apply(store, statement);
          if (index > 0 || replyAfterMs === null) {
            if (replyAfterMs === null) onEvent?.(`${operation}: the reply is lost`);
            // Nobody will hear of it.
            answer.catch(() => undefined);
            return;
          }
          answer.then(
            (value) => scheduler.schedule(replyAfterMs, () => receive(() => resolve(value))),
            (error: unknown) => scheduler.schedule(replyAfterMs, () => receive(() => reject(error))),
          );
        });
      });
    });
  }

  const offered = OPERATIONS.filter((operation) => store[operation] !== undefined);
  const faulty = Object.fromEntries(offered.map((operation) => [operation, (...args: readonly unknown[]) => call(operation, args)]));
  return {
    ...(faulty as unknown as Omit<LeaseStore, 'capabilities' | 'close'>),
    capabilities: { ...store.capabilities, watch: false, fencing: false },
    close: () => store.close(),
  };
}
