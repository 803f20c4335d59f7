import type { LeaseRelease, NewSession } from './lease-store.js';
import { WbOptionError } from './errors.js';
import { assertMetadata } from './metadata.js';
import { assertName } from './names.js';
import { assertReason } from './term-record.js';

/** The longest session TTL, in ms: a day. */
export const MAX_TTL_MS = 86_400_000;

/**
 * Checks what a store is given with `openSession`, before the database is touched (F7, F12).
 * @throws {@link WbOptionError} `INVALID_NAME`, `INVALID_OPTION`
 */
export function assertNewSession(session: NewSession): void {
  assertName('sessionId', session.sessionId);
  assertName('memberId', session.memberId);
  if (!Number.isInteger(session.ttlMs) || session.ttlMs < 1 || session.ttlMs > MAX_TTL_MS) {
    throw new WbOptionError(
      'INVALID_OPTION',
      'ttlMs',
      `\`ttlMs\` (${session.ttlMs}) must be a whole number of milliseconds from 1 to ${MAX_TTL_MS}`,
    );
  }
  if (session.metadata !== undefined) assertMetadata('metadata', session.metadata);
}

/**
 * Checks a session's id and the groups of a batch, before the database is touched (F7).
 * @throws {@link WbOptionError} `INVALID_NAME`
 */
export function assertBatch(sessionId: string, groupIds: readonly string[]): void {
  assertName('sessionId', sessionId);
  for (const groupId of groupIds) assertName('groupId', groupId);
}

/**
 * Checks the leases of a release, before the database is touched (F7).
 * @throws {@link WbOptionError} `INVALID_NAME`, `INVALID_OPTION`
 */
export function assertLeases(sessionId: string, leases: readonly LeaseRelease[]): void {
  assertName('sessionId', sessionId);
  for (const { groupId, term, reason } of leases) {
    assertName('groupId', groupId);
    if (!Number.isSafeInteger(term) || term < 1) {
      throw new WbOptionError('INVALID_OPTION', 'term', `\`term\` (${term}) must be a whole number from 1`);
    }
    if (reason !== undefined) assertReason('reason', reason);
  }
}
