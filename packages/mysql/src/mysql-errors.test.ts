import { StoreError } from '@wb/core';
import { describe, expect, it } from 'vitest';
import { DRIVER_FAULTS, faultOf, SERVER_FAULTS, toStoreError } from './mysql-errors.js';

function serverError(errno: number): Error {
  return Object.assign(new Error(`error ${errno}`), { errno, code: 'ER_SOMETHING', sqlState: 'HY000' });
}

function driverError(code: string): Error {
  return Object.assign(new Error(code), { code, errno: -111 });
}

describe('the error table (E1)', () => {
  it.each([
    [1205, 'STORE_BUSY', true, 'none'],
    [1213, 'STORE_BUSY', true, 'none'],
    [1020, 'STORE_BUSY', true, 'none'],
    [3572, 'STORE_BUSY', true, 'none'],
    [1040, 'STORE_BUSY', true, 'none'],
    [1045, 'STORE_REFUSED', false, 'none'],
    [1142, 'STORE_REFUSED', false, 'none'],
    [1665, 'STORE_REFUSED', false, 'none'],
    [1290, 'STORE_REFUSED', true, 'none'],
    [1792, 'STORE_REFUSED', true, 'none'],
    [1146, 'STORE_NOT_MIGRATED', false, 'none'],
    [1054, 'STORE_NOT_MIGRATED', false, 'none'],
    [1053, 'STORE_UNAVAILABLE', true, 'unknown'],
    [1927, 'STORE_UNAVAILABLE', true, 'unknown'],
    [4031, 'STORE_UNAVAILABLE', true, 'unknown'],
    [1047, 'STORE_UNAVAILABLE', true, 'none'],
    [1180, 'STORE_FAULT', true, 'unknown'],
    [1317, 'STORE_FAULT', true, 'unknown'],
    [1969, 'STORE_TIMEOUT', true, 'unknown'],
    [3024, 'STORE_TIMEOUT', true, 'unknown'],
    [1064, 'STORE_FAULT', false, 'none'],
    // Not in the table: nothing is known of it.
    [65_000, 'STORE_FAULT', false, 'unknown'],
  ] as const)('%i of the server is %s', (errno, code, isRetryable, outcome) => {
    const error = toStoreError('claim', serverError(errno), 'sent');
    expect(error).toBeInstanceOf(StoreError);
    expect([error.code, error.isRetryable, error.outcome]).toEqual([code, isRetryable, outcome]);
    expect(error.message).toContain('`claim` failed');
  });

  it.each([
    ['ECONNREFUSED', 'STORE_UNAVAILABLE', true, 'none'],
    ['ENOTFOUND', 'STORE_UNAVAILABLE', true, 'none'],
    ['ECONNRESET', 'STORE_UNAVAILABLE', true, 'unknown'],
    ['EPIPE', 'STORE_UNAVAILABLE', true, 'unknown'],
    ['PROTOCOL_CONNECTION_LOST', 'STORE_UNAVAILABLE', true, 'unknown'],
    ['HANDSHAKE_NO_SSL_SUPPORT', 'STORE_REFUSED', false, 'none'],
    ['SOMETHING_NEW', 'STORE_FAULT', false, 'unknown'],
  ] as const)('%s of the driver is %s', (native, code, isRetryable, outcome) => {
    const error = toStoreError('heartbeat', driverError(native), 'sent');
    expect([error.code, error.isRetryable, error.outcome]).toEqual([code, isRetryable, outcome]);
  });

  it('says of a failure to connect that nothing was done, whatever the failure', () => {
    for (const errno of Object.keys(SERVER_FAULTS))
      expect(toStoreError('read', serverError(Number(errno)), 'connecting').outcome).toBe('none');
    for (const code of Object.keys(DRIVER_FAULTS)) expect(toStoreError('read', driverError(code), 'connecting').outcome).toBe('none');
  });

  it('never calls busy what may have been done: busy calls are repeated', () => {
    const busy = [...Object.values(SERVER_FAULTS), ...Object.values(DRIVER_FAULTS)].filter(({ code }) => code === 'STORE_BUSY');
    expect(new Set(busy.map(({ isRetryable, outcome }) => `${isRetryable} ${outcome}`))).toEqual(new Set(['true none']));
  });

  it('knows a closed pool and a full queue by their messages', () => {
    expect(faultOf(new Error('Pool is closed.'))).toMatchObject({ code: 'STORE_UNAVAILABLE', outcome: 'none' });
    expect(faultOf(new Error('Queue limit reached.'))).toMatchObject({ code: 'STORE_BUSY' });
    expect(faultOf('nothing at all')).toMatchObject({ code: 'STORE_FAULT', outcome: 'unknown' });
  });

  it('keeps the native error as the cause, and passes a StoreError through', () => {
    const native = serverError(1213);
    const error = toStoreError('claim', native, 'sent');
    expect(error.cause).toBe(native);
    expect(toStoreError('claim', error, 'sent')).toBe(error);
  });
});
