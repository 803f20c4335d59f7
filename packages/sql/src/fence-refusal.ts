import { fencedError, type FencedError, type FenceLease } from '@wb/core';
import { GUARD_REFUSALS } from './guard.js';

/**
 * What the database says when a fence statement refuses: plain SQL cannot raise errors, so each statement fails on a value that has this text, or on an expression that is shown (MySQL, MariaDB). In the statements it is written in two pieces,
 * so that a library which quotes the statement in its own message (for a broken connection, say) is not taken for a refusal; and it is more than a name could be, because libraries quote parameters, too.
 */
const FENCE_REFUSAL = /wb-fenced: the lease does not stand|length\('wb-fenced'\)/;

/** How libraries call the error that they wrap. */
const CAUSES = ['cause', 'original', 'parent', 'driverError', 'nativeError', 'meta', 'error'] as const;

/** Whether an error, or one that it wraps, is the refusal of a fence statement. */
export function isFenceRefusal(error: unknown): boolean {
  return isMarked(error, (message) => FENCE_REFUSAL.test(message));
}

/** Whether an error, or one that it wraps, is the refusal of a guard (`guardStatements`) because a later term has written to the table. Not that of a write which states no term. */
export function isGuardRefusal(error: unknown): boolean {
  return isMarked(error, (message) => message.includes(GUARD_REFUSALS.stale));
}

function isMarked(error: unknown, hasMark: (message: string) => boolean): boolean {
  const seen = new Set<unknown>();
  const isRefusal = (value: unknown): boolean => {
    if (typeof value !== 'object' || value === null || seen.has(value)) return false;
    seen.add(value);
    const message: unknown = Reflect.get(value, 'message');
    if (typeof message === 'string' && hasMark(message)) return true;
    return CAUSES.some((name) => isRefusal(Reflect.get(value, name)));
  };
  return isRefusal(error);
}

/** The refusal as the error that it stands for, whatever a library has made of it; `null` if it is none. */
export function fencedErrorOf(error: unknown, lease: FenceLease): FencedError | null {
  return isFenceRefusal(error)
    ? fencedError(lease, 'a later term exists, or it was released', error, 'its transaction must not be committed')
    : null;
}
