import { StoreError, type StoreErrorCode, type StoreOutcome } from '@wb/core';

/** What a fault of Redis or of its client means (E1). */
interface RedisFault {
  readonly code: StoreErrorCode;
  readonly isRetryable: boolean;
  /** Redis refuses before it does anything; a broken connection leaves everything open (T5). */
  readonly outcome: StoreOutcome;
}

const BUSY: RedisFault = { code: 'STORE_BUSY', isRetryable: true, outcome: 'none' };
const REFUSED: RedisFault = { code: 'STORE_REFUSED', isRetryable: false, outcome: 'none' };
const UNAVAILABLE: RedisFault = { code: 'STORE_UNAVAILABLE', isRetryable: true, outcome: 'unknown' };

/** By the first word of an error reply. */
const REPLIES: Readonly<Record<string, RedisFault>> = {
  BUSY,
  LOADING: BUSY,
  TRYAGAIN: BUSY,
  CLUSTERDOWN: UNAVAILABLE,
  MASTERDOWN: UNAVAILABLE,
  READONLY: REFUSED,
  OOM: REFUSED,
  MISCONF: REFUSED,
  NOPERM: REFUSED,
  NOAUTH: REFUSED,
  WRONGPASS: REFUSED,
};

/** By the name of the client's own error. */
const CLIENT_ERRORS: readonly string[] = [
  'ConnectionTimeoutError',
  'ClientClosedError',
  'ClientOfflineError',
  'DisconnectsClientError',
  'SocketClosedUnexpectedlyError',
  'SocketTimeoutError',
  'ReconnectStrategyError',
];

/** Makes a `StoreError` of whatever the client threw. */
export function toStoreError(operation: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const {
    name = '',
    message = String(error),
    code,
  } = error as { readonly name?: string; readonly message?: string; readonly code?: unknown };
  const fault =
    REPLIES[message.split(' ', 1)[0]!] ??
    // The client's own errors have the name of their class; the system's have a code, such as ECONNREFUSED.
    (CLIENT_ERRORS.includes((error as object).constructor?.name ?? name) || typeof code === 'string' ? UNAVAILABLE : null);
  const {
    code: storeCode,
    isRetryable,
    outcome,
  } = fault ?? { code: 'STORE_FAULT' as const, isRetryable: false, outcome: 'unknown' as const };
  return new StoreError(storeCode, `\`${operation}\` failed: ${message}`, { cause: error, isRetryable, outcome });
}
