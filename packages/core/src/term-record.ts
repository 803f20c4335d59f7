import { WbOptionError } from './errors.js';
import type { LeaseHolder } from './lease-store.js';
import { assertName } from './names.js';

/** How many of the last terms of a group a store keeps (H3). */
export const MAX_TERM_RECORDS = 100;

/** The longest reason that a release may give, in characters. */
export const MAX_REASON_LENGTH = 32;

/** One term of a group: who led, from when to when, and why it ended (H1, H2). */
export interface TermRecord {
  readonly groupId: string;
  readonly term: number;
  readonly sessionId: string;
  readonly memberId: string;
  /** How long ago the lease was granted, in ms by the store's clock. */
  readonly beganAgoMs: number;
  /** How long ago the term ended, in ms by the store's clock; `null`: it stands, or it is not known any more. */
  readonly endedAgoMs: number | null;
  /**
   * Why it ended: what the release said (a coordinator says the reason for which it yielded: `resigned`, `work-ended`, …), `released` if it said nothing, `closed` or `expired` if its session
   * was; `null`: the term stands.
   */
  readonly endReason: string | null;
}

/** What became of a request to resign (R1, R2). */
export type ResignRequestResult =
  /** The holder's session will be told with its next heartbeat: by `grantCount`, and then by `held`. */
  { readonly kind: 'requested'; readonly holder: LeaseHolder } | { readonly kind: 'not-held' };

const REASON = /^[a-z][a-z-]*$/;

/**
 * Checks the reason that a release gives, before the database is touched.
 * @throws {@link WbOptionError} `INVALID_OPTION`
 */
export function assertReason(field: string, reason: unknown): asserts reason is string {
  if (typeof reason === 'string' && reason.length <= MAX_REASON_LENGTH && REASON.test(reason)) return;
  const shown = typeof reason === 'string' ? JSON.stringify(reason.slice(0, 2 * MAX_REASON_LENGTH)) : typeof reason;
  throw new WbOptionError(
    'INVALID_OPTION',
    field,
    `\`${field}\` (${shown}) must be 1 to ${MAX_REASON_LENGTH} characters: lower-case letters and hyphens, a letter first`,
  );
}

/**
 * Checks what a history is asked for, before the database is touched.
 * @throws {@link WbOptionError} `INVALID_NAME`, `INVALID_OPTION`
 */
export function assertHistoryRequest(groupIds: readonly string[], limit: number): void {
  for (const groupId of groupIds) assertName('groupId', groupId);
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_TERM_RECORDS) return;
  throw new WbOptionError('INVALID_OPTION', 'limit', `\`limit\` (${String(limit)}) must be a whole number from 1 to ${MAX_TERM_RECORDS}`);
}
