import { StoreError, type LeaseKey } from '@wb/core';
import { afterSome } from './batch-parts.js';
import type { ReleaseRow } from './postgres-claim-sql.js';

/** How long a release waits before it tries again for a lease that is locked, in ms. */
const BUSY_PAUSE_MS = 20;

/** What {@link releasePart} needs. */
export interface ReleaseCalls {
  readonly release: (leases: readonly LeaseKey[]) => Promise<readonly ReleaseRow[]>;
  readonly pause: (delayMs: number) => Promise<void>;
  /** How long it asks again, in ms. */
  readonly limitMs: number;
}

/**
 * Releases one part of a batch; resolves with what was released, everything else is not held. A release is definite, so it asks again for what is locked (by a fence of the session's own), and does not wait on the
 * server, where it would hold up the session's heartbeat.
 */
export async function releasePart({ release, pause, limitMs }: ReleaseCalls, part: readonly LeaseKey[]): Promise<readonly LeaseKey[]> {
  const released: LeaseKey[] = [];
  let rest = part;
  try {
    for (let waitedMs = 0; ; waitedMs += BUSY_PAUSE_MS) {
      const rows = await release(rest);
      const ofKind = (kind: ReleaseRow['kind']): LeaseKey[] =>
        rows.filter((row) => row.kind === kind).map(({ groupId, term }) => ({ groupId, term: Number(term) }));
      released.push(...ofKind('released'));
      rest = ofKind('busy');
      if (rest.length === 0) return released;
      if (waitedMs >= limitMs) throw lockedError(rest, waitedMs);
      await pause(BUSY_PAUSE_MS);
    }
  } catch (error) {
    throw released.length > 0 ? afterSome(error) : error;
  }
}

function lockedError(leases: readonly LeaseKey[], waitedMs: number): StoreError {
  const example = JSON.stringify(leases[0]!.groupId);
  return new StoreError(
    'STORE_BUSY',
    `\`release\` failed: ${leases.length} leases, ${example} among them, were locked by other transactions for ${waitedMs} ms`,
    { isRetryable: true, outcome: 'none' },
  );
}
