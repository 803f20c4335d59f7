import { StoreError, type Coordinator, type Observation } from '@wb/core';
import { machineClock } from './clock.js';
import { say } from './output.js';

/** How a wait for an observation ended. */
export type Awaited =
  | { readonly kind: 'seen'; readonly observation: Observation }
  /** `fault`: why it is not known how things stand; `null`: it is known, and is not what was waited for. */
  | { readonly kind: 'timed-out'; readonly fault: Error | null };

/** What to wait for. */
export interface AwaitOptions {
  /** In ms; `null`: for ever. */
  readonly timeoutMs: number | null;
  readonly isSeen: (observation: Observation) => boolean;
  /** Tables that are not there count as a fault that passes: somebody may be about to make them. */
  readonly mayLackTables: boolean;
}

/**
 * Watches a group until it is seen in a certain state. Faults of the store are told, and tried again.
 * @throws the fault, if it is one that does not pass.
 */
export async function awaitObservation(coordinator: Coordinator, groupId: string, options: AwaitOptions): Promise<Awaited> {
  const { timeoutMs, isSeen, mayLackTables } = options;
  using observer = coordinator.observe(groupId);
  let lasting: Error | null = null;
  // Not the count of the event: calls that do not matter here may have failed before.
  let isTold = false;
  const offRecovered = coordinator.on('store-recovered', () => (isTold = false));
  const off = coordinator.on('store-fault', ({ operation, error }) => {
    // Without hints it is only slower.
    if (operation !== 'read') return;
    const passes = !(error instanceof StoreError) || error.isRetryable || (mayLackTables && error.code === 'STORE_NOT_MIGRATED');
    if (passes) {
      if (!isTold) say(`the store failed, trying on: ${error.message}`);
      isTold = true;
      return;
    }
    lasting = error;
    observer.close();
  });
  const timer = timeoutMs === null ? null : machineClock.schedule(timeoutMs, () => observer.close());
  try {
    for await (const observation of observer) if (isSeen(observation)) return { kind: 'seen', observation };
  } finally {
    timer?.cancel();
    off();
    offRecovered();
  }
  // Set by a listener, which the compiler does not see.
  if ((lasting as Error | null) !== null) throw lasting as unknown as Error;
  const { storeFault } = coordinator.status();
  // A first look that is still under way has not said anything yet.
  return { kind: 'timed-out', fault: storeFault ?? (observer.current === undefined ? new Error('the store has not answered') : null) };
}
